-- The same tables as in sqlite-1.sql, which says what they are for. A truth is a smallint, as there.

CREATE TABLE version (number integer NOT NULL);

CREATE TABLE run (  -- one row for a run, with what is told of it without looking at its facts
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text UNIQUE,  -- NULL once it is forgotten, until all of its rows are deleted
    born bigint NOT NULL,  -- the order of runs; the same when it is compacted, which makes a new row of it
    network text NOT NULL,
    began double precision NOT NULL,
    parent text,  -- whom it was forked from
    cut bigint NOT NULL,
    origin bigint REFERENCES run (id),  -- whose facts it begins with; NULL once it has all that it needs itself
    seq bigint NOT NULL,
    number bigint NOT NULL,
    status text NOT NULL,
    error bytea NOT NULL,
    at double precision NOT NULL,
    sent bigint NOT NULL,
    ends bytea NOT NULL,  -- JSON: how many deliveries came to each end
    requests bigint NOT NULL,
    input_tokens bigint NOT NULL,
    output_tokens bigint NOT NULL,
    cost text,  -- decimal
    base_seq bigint NOT NULL,  -- the last fact when it was compacted
    base bytea NOT NULL,  -- JSON: the counts then
    searched bigint NOT NULL  -- the last fact whose words are in the index
);

CREATE INDEX run_origin ON run (origin) WHERE origin IS NOT NULL;

CREATE TABLE begun (
    run bigint NOT NULL,
    seq bigint NOT NULL,
    network text NOT NULL,
    seed text NOT NULL,  -- decimal, of any length
    at double precision NOT NULL,
    version text NOT NULL,
    parent text,
    cut bigint NOT NULL,
    PRIMARY KEY (run, seq)
);

CREATE TABLE sent (
    run bigint NOT NULL,
    seq bigint NOT NULL,
    number bigint NOT NULL,
    step bigint NOT NULL,
    id text NOT NULL,
    kind text NOT NULL,
    method text NOT NULL,
    sender text NOT NULL,
    receiver text NOT NULL,
    reply_to text NOT NULL,
    conversation text NOT NULL,
    event text NOT NULL,
    path text NOT NULL,
    depth bigint NOT NULL,
    waits smallint NOT NULL,
    at double precision NOT NULL,
    message bytea NOT NULL,
    edited smallint NOT NULL,
    PRIMARY KEY (run, seq)
);

CREATE INDEX sent_number ON sent (run, number, waits, edited, seq);
CREATE INDEX sent_id ON sent (run, id);
CREATE INDEX sent_reply_to ON sent (run, reply_to) WHERE reply_to <> '';
CREATE INDEX sent_step ON sent (run, step);
CREATE INDEX sent_edited ON sent (run, seq) WHERE edited <> 0;

CREATE TABLE effect (
    run bigint NOT NULL,
    seq bigint NOT NULL,
    step bigint NOT NULL,
    n bigint NOT NULL,
    kind text NOT NULL,
    name text NOT NULL,
    repeats text NOT NULL,
    status text NOT NULL,
    key text NOT NULL,
    began double precision NOT NULL,
    at double precision NOT NULL,
    answer bytea NOT NULL,
    asked bytea NOT NULL,
    input_tokens bigint NOT NULL,
    output_tokens bigint NOT NULL,
    cost text,  -- decimal
    PRIMARY KEY (run, seq)
);

CREATE INDEX effect_step ON effect (run, step);
CREATE INDEX effect_model ON effect (run, seq, input_tokens, output_tokens, cost) WHERE kind = 'model' AND status <> 'intent';
CREATE INDEX effect_abandoned ON effect (run, seq, name) WHERE kind = 'abandoned';

CREATE TABLE ended (
    run bigint NOT NULL,
    seq bigint NOT NULL,
    number bigint NOT NULL,
    "end" text NOT NULL,
    agent text NOT NULL,
    turn bigint NOT NULL,
    began double precision NOT NULL,
    at double precision NOT NULL,
    error bytea NOT NULL,
    posts bigint NOT NULL,
    effects bigint NOT NULL,
    ids bigint NOT NULL,
    PRIMARY KEY (run, seq)
);

CREATE INDEX ended_number ON ended (run, number, "end", seq);

CREATE TABLE state (  -- of `Ended.states`; stays when the fact is deleted for as long as it is the agent's last
    run bigint NOT NULL,
    seq bigint NOT NULL,
    n bigint NOT NULL,
    agent text NOT NULL,
    whole smallint NOT NULL,
    body bytea NOT NULL,
    PRIMARY KEY (run, seq, n)
);

CREATE INDEX state_whole ON state (run, agent, seq) WHERE whole <> 0;

CREATE TABLE finished (
    run bigint NOT NULL,
    seq bigint NOT NULL,
    status text NOT NULL,
    error bytea NOT NULL,
    at double precision NOT NULL,
    PRIMARY KEY (run, seq)
);

CREATE TABLE part (
    run bigint NOT NULL,
    seq bigint NOT NULL,
    hash text NOT NULL,
    PRIMARY KEY (run, seq)
);

CREATE INDEX part_hash ON part (hash);

CREATE TABLE content (  -- what parts hold, once for all runs
    hash text NOT NULL PRIMARY KEY,
    data bytea NOT NULL
);
