-- What carriers over PostgreSQL keep, in the schema that stands for @schema@. All clocks are the server's.
-- Nobody but the owner touches the tables: the functions do, after asking who is there by the name that the server knows.

CREATE TABLE version (number int PRIMARY KEY);
INSERT INTO version VALUES (1);

-- Which role may speak as which node. The owner of the schema may speak as any.
CREATE TABLE member (role text, node text, PRIMARY KEY (role, node));

CREATE TABLE node (name text PRIMARY KEY, incarnation bytea NOT NULL, about bytea NOT NULL, until timestamptz NOT NULL);
CREATE TABLE lease (
    name text PRIMARY KEY, holder text NOT NULL, incarnation bytea NOT NULL, epoch bigint NOT NULL, until timestamptz NOT NULL
);

-- What is under way. Lost when the server crashes, and not written to its log: links send it again.
CREATE UNLOGGED TABLE mail (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    sender text NOT NULL,
    receiver text NOT NULL,
    data bytea NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX mail_of ON mail (receiver, id);

CREATE FUNCTION channel(node text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT 'llm_net_' || md5('@schema@.' || node)
$$;

-- Only for the functions below.
CREATE FUNCTION ask(speaker text, life bytea) RETURNS void LANGUAGE plpgsql SET search_path = @schema@, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM member WHERE role = session_user AND member.node = speaker)
        AND session_user <> (SELECT pg_get_userbyid(nspowner) FROM pg_namespace WHERE nspname = '@schema@')
    THEN
        RAISE EXCEPTION 'role % may not speak as node %', session_user, speaker USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF life IS NOT NULL AND NOT EXISTS (SELECT 1 FROM node WHERE name = speaker AND incarnation = life) THEN
        RAISE EXCEPTION 'somebody else has taken the name %', speaker USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
END $$;

-- Whether the name was free.
CREATE FUNCTION enter(speaker text, life bytea, what bytea, keep float8) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = @schema@, pg_temp AS $$
BEGIN
    PERFORM ask(speaker, NULL);
    INSERT INTO node VALUES (speaker, life, what, clock_timestamp() + make_interval(secs => keep))
        ON CONFLICT (name) DO UPDATE SET incarnation = life, about = what, until = excluded.until
        WHERE node.until < clock_timestamp();
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    DELETE FROM mail WHERE receiver = speaker;
    PERFORM pg_notify(channel(''), '');
    RETURN true;
END $$;

-- What changes as long as who has the name is alive.
CREATE FUNCTION sign(speaker text) RETURNS timestamptz
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = @schema@, pg_temp AS $$
BEGIN
    PERFORM ask(speaker, NULL);
    RETURN (SELECT until FROM node WHERE name = speaker);
END $$;

CREATE FUNCTION leave(speaker text, life bytea) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = @schema@, pg_temp AS $$
BEGIN
    PERFORM ask(speaker, life);
    DELETE FROM node WHERE name = speaker;
    DELETE FROM mail WHERE receiver = speaker;
    PERFORM pg_notify(channel(''), '');
END $$;

-- A sign of life; gives who else is there.
CREATE FUNCTION stay(speaker text, life bytea, keep float8) RETURNS TABLE (name text, about bytea)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = @schema@, pg_temp AS $$
BEGIN
    PERFORM ask(speaker, life);
    UPDATE node SET until = clock_timestamp() + make_interval(secs => keep) WHERE node.name = speaker;
    DELETE FROM mail WHERE id IN (
        SELECT id FROM mail WHERE at < clock_timestamp() - make_interval(secs => 6 * keep) FOR UPDATE SKIP LOCKED
    );
    RETURN QUERY SELECT node.name, node.about FROM node WHERE until > clock_timestamp();
END $$;

-- Packets for those who are there; for others they are lost.
CREATE FUNCTION post(speaker text, life bytea, receivers text[], packets bytea[]) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = @schema@, pg_temp AS $$
BEGIN
    PERFORM ask(speaker, life);
    INSERT INTO mail (sender, receiver, data)
        SELECT speaker, packet.receiver, packet.data
        FROM unnest(receivers, packets) WITH ORDINALITY AS packet (receiver, data, place)
        JOIN node ON node.name = packet.receiver AND node.until > clock_timestamp()
        ORDER BY packet.place;
    PERFORM pg_notify(channel(each.receiver), '') FROM (SELECT DISTINCT unnest(receivers) AS receiver) AS each;
END $$;

CREATE FUNCTION take(speaker text, life bytea, most int) RETURNS TABLE (sender text, data bytea)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = @schema@, pg_temp AS $$
BEGIN
    PERFORM ask(speaker, life);
    RETURN QUERY
        WITH taken AS (
            DELETE FROM mail
            WHERE id IN (SELECT id FROM mail WHERE receiver = speaker ORDER BY id LIMIT most FOR UPDATE SKIP LOCKED)
            RETURNING mail.id, mail.sender, mail.data
        )
        SELECT taken.sender, taken.data FROM taken ORDER BY taken.id;
END $$;

CREATE FUNCTION hold(speaker text, life bytea, wanted text, seconds float8)
    RETURNS TABLE (holder text, epoch bigint, remaining float8)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = @schema@, pg_temp AS $$
DECLARE
    now timestamptz;
    it lease;
BEGIN
    PERFORM ask(speaker, life);
    INSERT INTO lease VALUES (wanted, '', '', 0, '-infinity') ON CONFLICT DO NOTHING;
    SELECT * INTO it FROM lease WHERE name = wanted FOR UPDATE;
    now := clock_timestamp(); -- after others had their turn
    IF it.until > now AND it.holder <> speaker THEN
        RETURN QUERY SELECT it.holder, it.epoch, extract(epoch FROM it.until - now)::float8;
        RETURN;
    END IF;
    IF it.until <= now OR it.incarnation <> life THEN -- it ran out, or was of this node in an earlier life
        IF seconds <= 0 THEN
            RETURN QUERY SELECT ''::text, it.epoch, 0::float8;
            RETURN;
        END IF;
        it.epoch := it.epoch + 1;
    END IF;
    UPDATE lease
        SET holder = speaker, incarnation = life, epoch = it.epoch, until = now + make_interval(secs => seconds)
        WHERE name = wanted;
    RETURN QUERY SELECT speaker, it.epoch, seconds;
END $$;

REVOKE ALL ON ALL TABLES IN SCHEMA @schema@ FROM PUBLIC;
REVOKE ALL ON FUNCTION ask(text, bytea) FROM PUBLIC;
GRANT USAGE ON SCHEMA @schema@ TO PUBLIC;
