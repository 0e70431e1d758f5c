-- The one scan of `record` behind senders, gaps and simulate: the records of the scope by everything that those
-- questions tell apart. {records} is the condition of the scope on `record r`.
CREATE OR REPLACE TEMP TABLE flow AS
WITH g AS (
    SELECT r.policy_domain, r.stream, r.source, r.policy, r.disposition, r.dkim_aligned, r.spf_aligned, r.reason,
        coalesce(sum(r.messages), 0)::BIGINT AS messages, min(r.report_day) AS first_day, max(r.report_day) AS last_day,
        count(*) AS records
    FROM record r WHERE {records}
    GROUP BY ALL
)
SELECT g.*, t.header_from, coalesce(g.dkim_aligned, false) OR coalesce(g.spf_aligned, false) AS dmarc_pass,
    -- A DMARC fail that got less than its policy asks, and no reason given. RFC 9990's `pass` counts as none.
    CASE WHEN NOT coalesce(g.dkim_aligned, false) AND NOT coalesce(g.spf_aligned, false) AND g.reason IS NULL
        AND g.disposition % 3 < g.policy THEN g.messages ELSE 0 END AS softer,
    t.own_dkim, t.own_spf, t.foreign_dkim, t.foreign_spf,
    -- The most specific evidence names the sender; where nothing does, the source is its own sender, below zero.
    coalesce(CASE
        WHEN coalesce(f.score, 0) > 0 AND f.score >= coalesce(t.score, 0) AND f.score >= coalesce(s.score, 0) THEN f.sender_no
        WHEN coalesce(t.score, 0) >= coalesce(s.score, 0) THEN t.sender_no
        ELSE s.sender_no END::BIGINT, -2 - g.source::BIGINT, -1) AS sender_key,
    -- Where the words of that evidence stand: stream n as n, source n as -1 - n.
    CASE
        WHEN coalesce(f.score, 0) > 0 AND f.score >= coalesce(t.score, 0) AND f.score >= coalesce(s.score, 0) THEN -1 - g.source::BIGINT
        WHEN coalesce(t.score, 0) >= coalesce(s.score, 0) THEN g.stream::BIGINT
        ELSE -1 - g.source::BIGINT END AS evidence_at
FROM g
-- Words as numbers: the table is written faster.
LEFT JOIN (
    SELECT * REPLACE (own_dkim::ENUM ('pass', 'fail') AS own_dkim, own_spf::ENUM ('pass', 'fail') AS own_spf) FROM stream
) t ON t.stream_no = g.stream
LEFT JOIN source s ON s.source_no = g.source
LEFT JOIN source_from f ON f.source = g.source AND f.header_from = t.header_from;
