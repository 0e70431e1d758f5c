-- A record keeps what is its own; the rest, which few streams share, is in its stream. `record` becomes a view of both: half the bytes,
-- and half the work of an import.
ALTER TABLE stream ADD COLUMN dmarc_pass BOOLEAN;
ALTER TABLE stream ADD COLUMN dkim_raw_pass BOOLEAN;
ALTER TABLE stream ADD COLUMN spf_raw_pass BOOLEAN;
ALTER TABLE stream ADD COLUMN dkim_recomputed BOOLEAN;
ALTER TABLE stream ADD COLUMN spf_recomputed BOOLEAN;
COMMENT ON TABLE stream IS 'Every distinct combination of header from, results, verdicts, and what a receiver made of them under which policy, once: the unit of attribution.';
COMMENT ON COLUMN stream.dmarc_pass IS 'As record.dmarc_pass.';
COMMENT ON COLUMN stream.dkim_raw_pass IS 'As record.dkim_raw_pass.';
COMMENT ON COLUMN stream.spf_raw_pass IS 'As record.spf_raw_pass.';
COMMENT ON COLUMN stream.dkim_recomputed IS 'As record.dkim_recomputed.';
COMMENT ON COLUMN stream.spf_recomputed IS 'As record.spf_recomputed.';

CREATE TABLE record_row (
    report_no UINTEGER NOT NULL,
    record_no UINTEGER NOT NULL,
    policy_domain UINTEGER,
    report_day DATE,
    source UINTEGER,
    messages BIGINT,
    envelope_from UINTEGER,
    envelope_to UINTEGER,
    stream UINTEGER NOT NULL
);
COMMENT ON TABLE record_row IS 'What each record has of its own; record shows it with its stream.';
COMMENT ON COLUMN record_row.report_no IS 'The report.';
COMMENT ON COLUMN record_row.record_no IS 'Place in the report, from 1.';
COMMENT ON COLUMN record_row.policy_domain IS 'Policy domain of the report: number in domain.';
COMMENT ON COLUMN record_row.report_day IS 'Report day of the report.';
COMMENT ON COLUMN record_row.source IS 'Sending address: number in source; NULL where unreadable.';
COMMENT ON COLUMN record_row.messages IS 'count; NULL where unreadable.';
COMMENT ON COLUMN record_row.envelope_from IS 'RFC 5321 MAIL FROM domain: number in domain.';
COMMENT ON COLUMN record_row.envelope_to IS 'Recipient domain: number in domain.';
COMMENT ON COLUMN record_row.stream IS 'What the record shares with others: number in stream, the unit of attribution.';

-- The commonest combination of each stream keeps its number; the others get new ones.
CREATE TEMP TABLE split AS
SELECT *, CASE WHEN place = 1 THEN stream
    ELSE ((SELECT count(*) FROM stream) + row_number() OVER (PARTITION BY place = 1 ORDER BY stream, place) - 1)::UINTEGER END AS stream_no
FROM (
    SELECT stream, dmarc_pass, dkim_raw_pass, spf_raw_pass, dkim_recomputed, spf_recomputed,
        row_number() OVER (PARTITION BY stream ORDER BY count(*) DESC, min(report_no), min(record_no)) AS place
    FROM record GROUP BY stream, dmarc_pass, dkim_raw_pass, spf_raw_pass, dkim_recomputed, spf_recomputed
);
INSERT INTO stream
SELECT t.* REPLACE (p.stream_no AS stream_no) FROM split p JOIN stream t ON t.stream_no = p.stream WHERE p.place > 1 ORDER BY p.stream_no;
UPDATE stream SET dmarc_pass = p.dmarc_pass, dkim_raw_pass = p.dkim_raw_pass, spf_raw_pass = p.spf_raw_pass,
    dkim_recomputed = p.dkim_recomputed, spf_recomputed = p.spf_recomputed
FROM split p WHERE stream.stream_no = p.stream_no;
-- One whose records somebody has deleted.
UPDATE stream SET dmarc_pass = coalesce(dkim_aligned, false) OR coalesce(spf_aligned, false), dkim_raw_pass = false,
    spf_raw_pass = false, dkim_recomputed = false, spf_recomputed = false
WHERE dmarc_pass IS NULL;
INSERT INTO record_row
SELECT r.report_no, r.record_no, r.policy_domain, r.report_day, r.source, r.messages, r.envelope_from, r.envelope_to, p.stream_no
FROM record r
JOIN split p ON p.stream = r.stream AND p.dmarc_pass = r.dmarc_pass AND p.dkim_raw_pass = r.dkim_raw_pass
    AND p.spf_raw_pass = r.spf_raw_pass AND p.dkim_recomputed = r.dkim_recomputed AND p.spf_recomputed = r.spf_recomputed;
DROP TABLE record;
DROP TABLE split;

-- What senders and gaps of the whole store begin with. Derived: empty where it would save nothing.
CREATE TABLE stream_source (
    stream UINTEGER NOT NULL,
    source UINTEGER,
    messages BIGINT NOT NULL,
    records BIGINT NOT NULL,
    first_day DATE,
    last_day DATE
);
COMMENT ON TABLE stream_source IS 'The records up to a report (setting summed_up_to), summed by stream and source. Kept in large stores only; derived.';
COMMENT ON COLUMN stream_source.stream IS 'As record.stream.';
COMMENT ON COLUMN stream_source.source IS 'As record.source.';
COMMENT ON COLUMN stream_source.messages IS 'Sum of record.messages.';
COMMENT ON COLUMN stream_source.records IS 'Number of records.';
COMMENT ON COLUMN stream_source.first_day IS 'First report day.';
COMMENT ON COLUMN stream_source.last_day IS 'Last report day.';
