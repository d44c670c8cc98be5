//! Entities and queries, a file per aggregate; every query takes the community.
