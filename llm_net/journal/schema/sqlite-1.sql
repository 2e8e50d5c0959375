-- The facts of runs, as they were noted: rows are added, and deleted when a run is forgotten, and never changed.
-- The columns are the fields of the records in llm_net/record.py. What holds content is BLOB, for not every text of a model
-- is one that a database would take. What holds little is kept in the order of its key, what holds much is not: a page would
-- then hold a quarter of a row, and the rest lie elsewhere (measured: 2.4 kB instead of 1.1 for a message of 1.5).

CREATE TABLE run (  -- one row for a run, with what is told of it without looking at its facts
    id INTEGER PRIMARY KEY AUTOINCREMENT,  -- never given again
    name TEXT UNIQUE,  -- NULL once it is forgotten, until all of its rows are deleted
    born INTEGER NOT NULL,  -- the order of runs; the same when it is compacted, which makes a new row of it
    network TEXT NOT NULL,
    began REAL NOT NULL,
    parent TEXT,  -- whom it was forked from
    cut INTEGER NOT NULL,
    origin INTEGER REFERENCES run (id),  -- whose facts it begins with; NULL once it has all that it needs itself
    seq INTEGER NOT NULL,
    number INTEGER NOT NULL,
    status TEXT NOT NULL,
    error BLOB NOT NULL,
    at REAL NOT NULL,
    sent INTEGER NOT NULL,
    ends BLOB NOT NULL,  -- JSON: how many deliveries came to each end
    requests INTEGER NOT NULL,
    input_tokens INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    cost TEXT,  -- decimal
    base_seq INTEGER NOT NULL,  -- the last fact when it was compacted
    base BLOB NOT NULL,  -- JSON: the counts then
    searched INTEGER NOT NULL  -- the last fact whose words are in the index
);

CREATE INDEX run_origin ON run (origin) WHERE origin IS NOT NULL;

CREATE TABLE begun (
    run INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    network TEXT NOT NULL,
    seed TEXT NOT NULL,  -- decimal, of any length
    at REAL NOT NULL,
    version TEXT NOT NULL,
    parent TEXT,
    cut INTEGER NOT NULL,
    PRIMARY KEY (run, seq)
) WITHOUT ROWID;

CREATE TABLE sent (
    run INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    number INTEGER NOT NULL,
    step INTEGER NOT NULL,
    id TEXT NOT NULL,
    kind TEXT NOT NULL,
    method TEXT NOT NULL,
    sender TEXT NOT NULL,
    receiver TEXT NOT NULL,
    reply_to TEXT NOT NULL,
    conversation TEXT NOT NULL,
    event TEXT NOT NULL,
    path TEXT NOT NULL,
    depth INTEGER NOT NULL,
    waits INTEGER NOT NULL,
    at REAL NOT NULL,
    message BLOB NOT NULL,
    edited INTEGER NOT NULL,
    PRIMARY KEY (run, seq)
);

CREATE INDEX sent_number ON sent (run, number, waits, edited, seq);
CREATE INDEX sent_id ON sent (run, id);
CREATE INDEX sent_reply_to ON sent (run, reply_to) WHERE reply_to <> '';
CREATE INDEX sent_step ON sent (run, step);
CREATE INDEX sent_edited ON sent (run, seq) WHERE edited <> 0;

CREATE TABLE effect (
    run INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    step INTEGER NOT NULL,
    n INTEGER NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    repeats TEXT NOT NULL,
    status TEXT NOT NULL,
    key TEXT NOT NULL,
    began REAL NOT NULL,
    at REAL NOT NULL,
    answer BLOB NOT NULL,
    asked BLOB NOT NULL,
    input_tokens INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    cost TEXT,  -- decimal
    PRIMARY KEY (run, seq)
);

CREATE INDEX effect_step ON effect (run, step);
CREATE INDEX effect_model ON effect (run, seq, input_tokens, output_tokens, cost) WHERE kind = 'model' AND status <> 'intent';
CREATE INDEX effect_abandoned ON effect (run, seq, name) WHERE kind = 'abandoned';

CREATE TABLE ended (
    run INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    number INTEGER NOT NULL,
    "end" TEXT NOT NULL,
    agent TEXT NOT NULL,
    turn INTEGER NOT NULL,
    began REAL NOT NULL,
    at REAL NOT NULL,
    error BLOB NOT NULL,
    posts INTEGER NOT NULL,
    effects INTEGER NOT NULL,
    ids INTEGER NOT NULL,
    PRIMARY KEY (run, seq)
) WITHOUT ROWID;

CREATE INDEX ended_number ON ended (run, number, "end");  -- and seq, as all of a table in the order of its key

CREATE TABLE state (  -- of `Ended.states`; stays when the fact is deleted for as long as it is the agent's last
    run INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    n INTEGER NOT NULL,
    agent TEXT NOT NULL,
    whole INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (run, seq, n)
);

CREATE INDEX state_whole ON state (run, agent, seq) WHERE whole <> 0;

CREATE TABLE finished (
    run INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    status TEXT NOT NULL,
    error BLOB NOT NULL,
    at REAL NOT NULL,
    PRIMARY KEY (run, seq)
) WITHOUT ROWID;

CREATE TABLE part (
    run INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    hash TEXT NOT NULL,
    PRIMARY KEY (run, seq)
) WITHOUT ROWID;

CREATE INDEX part_hash ON part (hash);

CREATE TABLE content (  -- what parts hold, once for all runs
    hash TEXT NOT NULL PRIMARY KEY,
    data BLOB NOT NULL
);

-- How many rows there are for a run, for its name, and so on, so that a planner takes the index that leads to few. Without
-- these it guesses that a run has ten facts; with more than these, that it pays to sort a table before looking into it.
ANALYZE sqlite_schema;
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('sent', 'sqlite_autoindex_sent_1', '1000000 2000 1'),
    ('sent', 'sent_number', '1000000 2000 1 1 1 1'),
    ('sent', 'sent_id', '1000000 2000 2'),
    ('sent', 'sent_reply_to', '1000000 2000 2'),
    ('sent', 'sent_step', '1000000 2000 3'),
    ('sent', 'sent_edited', '100 10 1'),
    ('effect', 'sqlite_autoindex_effect_1', '1000000 2000 1'),
    ('effect', 'effect_step', '1000000 2000 3'),
    ('effect', 'effect_model', '500000 1000 1 1 1 1'),
    ('effect', 'effect_abandoned', '1000 100 1 1'),
    ('ended', 'ended', '1000000 2000 1'),
    ('ended', 'ended_number', '1000000 2000 1 1 1'),
    ('state', 'sqlite_autoindex_state_1', '1000000 2000 2 1'),
    ('state', 'state_whole', '100000 1000 10 1'),
    ('part', 'part', '1000000 2000 1'),
    ('part', 'part_hash', '1000000 10 5 1');
ANALYZE sqlite_schema;
