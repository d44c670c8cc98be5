-- What a send stores, one transaction a message. The numbers rise as ours do, so that the indexes
-- grow at their end; :base differs from run to run.
\set turn :turn + 1
\set number :base + :turn * 1000 + :client_id
\set channel 100 + :number % 8
BEGIN;
INSERT INTO messages (community_id, id, number, channel_id, seq, user_id, kind, text, direct, encrypted, reply_count, created_at)
VALUES (:community, lpad(to_hex(:number::bigint), 24, '0'), :number, :user || :channel::text, :number, :community, 1, :text, false, false, 0, :number);
INSERT INTO outbox (event_id, community_id, partition, payload, created_at)
VALUES (lpad(to_hex(:number::bigint), 24, '0'), :community, 7, :payload, :number);
COMMIT;
