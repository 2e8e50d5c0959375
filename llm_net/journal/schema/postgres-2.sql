-- The words of messages, as in sqlite-2.sql.

CREATE TABLE search (
    run bigint NOT NULL,
    seq bigint NOT NULL,
    words tsvector NOT NULL,
    PRIMARY KEY (run, seq)
);

CREATE INDEX search_words ON search USING gin (words);
