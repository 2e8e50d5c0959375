-- The words of messages. Written when somebody first looks for one, and from then on by each who looks.
-- A row's id is that of its run times 2^40, and its fact's place. The words come lower-cased and separated by spaces.

CREATE VIRTUAL TABLE search USING fts5 (words, tokenize = 'ascii', detail = none, columnsize = 0);
