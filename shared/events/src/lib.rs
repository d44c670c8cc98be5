//! Domain events: the outbox they are written to and the bus that carries them
