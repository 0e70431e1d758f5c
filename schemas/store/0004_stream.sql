-- A stream tells apart what receivers made of it as well, so that a question on mail groups the records by two numbers.
ALTER TABLE stream ADD COLUMN policy_domain UINTEGER;
ALTER TABLE stream ADD COLUMN policy UTINYINT;
ALTER TABLE stream ADD COLUMN disposition UTINYINT;
ALTER TABLE stream ADD COLUMN dkim_aligned BOOLEAN;
ALTER TABLE stream ADD COLUMN spf_aligned BOOLEAN;
ALTER TABLE stream ADD COLUMN reason UINTEGER;
COMMENT ON TABLE stream IS 'Every distinct combination of header from, results, and what a receiver made of them under which policy, once: the unit of attribution.';
COMMENT ON COLUMN stream.policy_domain IS 'As record.policy_domain.';
COMMENT ON COLUMN stream.policy IS 'As record.policy.';
COMMENT ON COLUMN stream.disposition IS 'As record.disposition.';
COMMENT ON COLUMN stream.dkim_aligned IS 'As record.dkim_aligned.';
COMMENT ON COLUMN stream.spf_aligned IS 'As record.spf_aligned.';
COMMENT ON COLUMN stream.reason IS 'As record.reason.';
COMMENT ON COLUMN record.stream IS 'Header from, results, policy, and what the receiver made of them together: number in stream, the unit of attribution.';

-- The commonest combination of each stream keeps its number; the others get new ones.
CREATE TEMP TABLE split AS
SELECT *, CASE WHEN place = 1 THEN stream
    ELSE ((SELECT count(*) FROM stream) + row_number() OVER (PARTITION BY place = 1 ORDER BY stream, place) - 1)::UINTEGER END AS stream_no
FROM (
    SELECT stream, policy_domain, policy, disposition, dkim_aligned, spf_aligned, reason,
        row_number() OVER (PARTITION BY stream ORDER BY count(*) DESC, min(report_no), min(record_no)) AS place
    FROM record GROUP BY stream, policy_domain, policy, disposition, dkim_aligned, spf_aligned, reason
);
INSERT INTO stream (stream_no, header_from, auth)
SELECT p.stream_no, t.header_from, t.auth FROM split p JOIN stream t ON t.stream_no = p.stream WHERE p.place > 1 ORDER BY 1;
UPDATE stream SET policy_domain = p.policy_domain, policy = p.policy, disposition = p.disposition, dkim_aligned = p.dkim_aligned,
    spf_aligned = p.spf_aligned, reason = p.reason
FROM split p WHERE stream.stream_no = p.stream_no;
UPDATE record SET stream = p.stream_no FROM split p
WHERE p.place > 1 AND record.stream = p.stream AND record.policy_domain IS NOT DISTINCT FROM p.policy_domain
    AND record.policy IS NOT DISTINCT FROM p.policy AND record.disposition IS NOT DISTINCT FROM p.disposition
    AND record.dkim_aligned IS NOT DISTINCT FROM p.dkim_aligned AND record.spf_aligned IS NOT DISTINCT FROM p.spf_aligned
    AND record.reason IS NOT DISTINCT FROM p.reason;
DROP TABLE split;
