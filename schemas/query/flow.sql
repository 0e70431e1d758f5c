-- The one scan of the records behind senders, gaps and simulate, by everything that these questions tell apart: the records of the
-- scope, summed by stream and source.
CREATE OR REPLACE TEMP TABLE flow_source AS
WITH g AS ({sums})
SELECT g.*, t.policy_domain, t.header_from, t.disposition, t.dkim_aligned, t.spf_aligned, t.dmarc_pass,
    -- Where nothing names the sender, the source is its own, below zero.
    coalesce(most_specific(f.score, t.score, s.score, f.sender_no, t.sender_no, s.sender_no)::BIGINT, -2 - g.source::BIGINT, -1) AS sender_key,
    -- Where the words of that evidence stand: stream n as n, source n as -1 - n.
    most_specific(f.score, t.score, s.score, -1 - g.source::BIGINT, g.stream::BIGINT, -1 - g.source::BIGINT) AS evidence_at
FROM g
LEFT JOIN stream t ON t.stream_no = g.stream
LEFT JOIN source s ON s.source_no = g.source
LEFT JOIN source_from f ON f.source = g.source AND f.header_from = t.header_from;

-- The same without the sources, which few questions need: a fraction of the rows. Of equal messages one is chosen by its number, so
-- that the same question has the same answer.
CREATE OR REPLACE TEMP TABLE flow AS
WITH g AS (
    SELECT sender_key, stream, sum(messages)::BIGINT AS messages, min(first_day) AS first_day, max(last_day) AS last_day,
        sum(records)::BIGINT AS records, arg_max(evidence_at, (messages, evidence_at)) AS evidence_at, max(messages) AS heaviest
    FROM flow_source GROUP BY ALL
)
SELECT g.*, t.policy_domain, t.header_from, t.policy, t.disposition, t.dkim_aligned, t.spf_aligned, t.reason, t.dmarc_pass,
    -- A DMARC fail that got less than its policy asks, and no reason given. RFC 9990's `pass` counts as none.
    CASE WHEN NOT t.dmarc_pass AND t.reason IS NULL AND t.disposition % 3 < t.policy THEN g.messages ELSE 0 END AS softer,
    t.own_dkim, t.own_spf, t.foreign_dkim, t.foreign_spf
FROM g JOIN stream t ON t.stream_no = g.stream;
