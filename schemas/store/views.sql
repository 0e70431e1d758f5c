-- Views for people who write SQL. Re-created by the writer when they change; names are the words of the documentation.

-- Of policies and dispositions; RFC 9990's disposition `pass` is as mild as none.
CREATE OR REPLACE MACRO policy_rank(word) AS CASE word WHEN 'none' THEN 0 WHEN 'pass' THEN 0 WHEN 'quarantine' THEN 1 WHEN 'reject' THEN 2 END;
CREATE OR REPLACE MACRO disposition_word(number) AS CASE number WHEN 0 THEN 'none' WHEN 1 THEN 'quarantine' WHEN 2 THEN 'reject' WHEN 3 THEN 'pass' END;

-- Which of the three attributions of a record counts: that of the source under its header from, of the stream, or of the
-- source, the one with the most specific evidence. Given are the scores of the three, then what is wanted of the winner.
CREATE OR REPLACE MACRO most_specific(from_score, stream_score, source_score, of_from, of_stream, of_source) AS
    CASE WHEN coalesce(from_score, 0) > 0 AND from_score >= coalesce(stream_score, 0) AND from_score >= coalesce(source_score, 0) THEN of_from
         WHEN coalesce(stream_score, 0) >= coalesce(source_score, 0) THEN of_stream
         ELSE of_source END;

CREATE OR REPLACE VIEW record AS
SELECT r.report_no, r.record_no, r.policy_domain, r.report_day, r.source, r.messages, t.policy, t.disposition,
    t.dkim_aligned, t.spf_aligned, t.dmarc_pass, t.dkim_raw_pass, t.spf_raw_pass, t.dkim_recomputed, t.spf_recomputed,
    t.header_from, r.envelope_from, r.envelope_to, t.auth, t.reason, r.stream
FROM record_row r JOIN stream t ON t.stream_no = r.stream;
COMMENT ON VIEW record IS 'One row per record, numbers only; record_full shows it in words.';
COMMENT ON COLUMN record.report_no IS 'The report.';
COMMENT ON COLUMN record.record_no IS 'Place in the report, from 1.';
COMMENT ON COLUMN record.policy_domain IS 'Policy domain of the report: number in domain.';
COMMENT ON COLUMN record.report_day IS 'Report day of the report.';
COMMENT ON COLUMN record.source IS 'Sending address: number in source; NULL where unreadable.';
COMMENT ON COLUMN record.messages IS 'count; NULL where unreadable.';
COMMENT ON COLUMN record.policy IS 'Policy that the report applies to header from: p, or sp for a subdomain. 0 none, 1 quarantine, 2 reject; NULL where unknown.';
COMMENT ON COLUMN record.disposition IS '0 none, 1 quarantine, 2 reject, 3 pass; NULL where unknown.';
COMMENT ON COLUMN record.dkim_aligned IS 'policy_evaluated/dkim is pass; NULL where unknown.';
COMMENT ON COLUMN record.spf_aligned IS 'policy_evaluated/spf is pass; NULL where unknown.';
COMMENT ON COLUMN record.dmarc_pass IS 'DKIM aligned or SPF aligned.';
COMMENT ON COLUMN record.dkim_raw_pass IS 'Some DKIM result says pass, aligned or not.';
COMMENT ON COLUMN record.spf_raw_pass IS 'Some SPF result says pass, aligned or not.';
COMMENT ON COLUMN record.dkim_recomputed IS 'Our own verdict: some passing DKIM domain aligns with header from.';
COMMENT ON COLUMN record.spf_recomputed IS 'Our own verdict: some passing MAIL FROM domain aligns with header from.';
COMMENT ON COLUMN record.header_from IS 'RFC 5322 From domain: number in domain.';
COMMENT ON COLUMN record.envelope_from IS 'RFC 5321 MAIL FROM domain: number in domain.';
COMMENT ON COLUMN record.envelope_to IS 'Recipient domain: number in domain.';
COMMENT ON COLUMN record.auth IS 'The DKIM and SPF results: number in auth.';
COMMENT ON COLUMN record.reason IS 'The override reasons: number in reason; NULL where there are none.';
COMMENT ON COLUMN record.stream IS 'What the record shares with others: number in stream, the unit of attribution.';

-- Not from `record`, which has joined the stream already.
CREATE OR REPLACE VIEW attributed AS
SELECT r.report_no, r.record_no, r.policy_domain, r.report_day, r.source, r.messages, t.policy, t.disposition,
    t.dkim_aligned, t.spf_aligned, t.dmarc_pass, t.dkim_raw_pass, t.spf_raw_pass, t.dkim_recomputed, t.spf_recomputed,
    t.header_from, r.envelope_from, r.envelope_to, t.auth, t.reason, r.stream,
    most_specific(f.score, t.score, s.score, f.sender_no, t.sender_no, s.sender_no) AS sender_no,
    most_specific(f.score, t.score, s.score, f.evidence, t.evidence, s.evidence) AS evidence
FROM record_row r JOIN stream t ON t.stream_no = r.stream
LEFT JOIN source s ON s.source_no = r.source
LEFT JOIN source_from f ON f.source = r.source AND f.header_from = t.header_from;
COMMENT ON VIEW attributed IS 'The columns of record, with the number of its sender and the evidence for it.';
COMMENT ON COLUMN attributed.sender_no IS 'Number in sender; NULL where nothing names one.';
COMMENT ON COLUMN attributed.evidence IS 'What names the sender, in words.';

CREATE OR REPLACE VIEW record_full AS
SELECT r.report_no, r.record_no, p.reporter, p.report_id, p.report_key, p.begin_at, p.end_at, r.report_day,
    s.source_ip, s.ip_sort, s.ptr, s.ptr_confirmed, s.network, s.as_number, s.as_name, s.country,
    r.messages, disposition_word(r.disposition) AS disposition,
    r.dkim_aligned, r.spf_aligned, r.dmarc_pass, r.dkim_raw_pass, r.spf_raw_pass, r.dkim_recomputed, r.spf_recomputed,
    h.name AS header_from, h.domain_org AS header_from_org, e.name AS envelope_from, t.name AS envelope_to,
    p.policy_domain, p.policy_domain_org,
    disposition_word(r.policy) AS effective_policy,
    p.p, p.sp, p.np, p.pct, p.adkim, p.aspf, p.testing, p.schema_variant,
    coalesce(n.name, s.source_ip) AS sender, coalesce(n.status, 'unknown') AS sender_status, n.service, r.evidence,
    a.dkim, a.spf, o.reasons, r.stream, r.source, r.policy_domain AS policy_domain_no
FROM attributed r
JOIN report p ON p.report_no = r.report_no
LEFT JOIN source s ON s.source_no = r.source
LEFT JOIN domain h ON h.domain_no = r.header_from
LEFT JOIN domain e ON e.domain_no = r.envelope_from
LEFT JOIN domain t ON t.domain_no = r.envelope_to
LEFT JOIN sender n ON n.sender_no = r.sender_no
LEFT JOIN auth a ON a.auth_no = r.auth
LEFT JOIN reason o ON o.reason_no = r.reason;
COMMENT ON VIEW record_full IS 'The flat picture: one row per record, in words. The first thing to reach for.';
COMMENT ON COLUMN record_full.report_no IS 'The report.';
COMMENT ON COLUMN record_full.record_no IS 'Place in the report, from 1.';
COMMENT ON COLUMN record_full.reporter IS 'org_name: the organisation that sent the report.';
COMMENT ON COLUMN record_full.report_id IS 'report_id, whole.';
COMMENT ON COLUMN record_full.report_key IS 'Hash of the identity of the report.';
COMMENT ON COLUMN record_full.begin_at IS 'Begin of the period, UTC.';
COMMENT ON COLUMN record_full.end_at IS 'End of the period, UTC.';
COMMENT ON COLUMN record_full.report_day IS 'UTC date of the middle of the period.';
COMMENT ON COLUMN record_full.source_ip IS 'Sending address: canonical text; NULL where unreadable.';
COMMENT ON COLUMN record_full.ip_sort IS 'The address as a 128-bit number that sorts and compares ranges; IPv4 as ::ffff:a.b.c.d.';
COMMENT ON COLUMN record_full.ptr IS 'Host name of the address (enrich).';
COMMENT ON COLUMN record_full.ptr_confirmed IS 'The host name resolves back to the address; NULL where not checked.';
COMMENT ON COLUMN record_full.network IS 'Network of the address (enrich).';
COMMENT ON COLUMN record_full.as_number IS 'Autonomous system number (enrich).';
COMMENT ON COLUMN record_full.as_name IS 'Autonomous system name (enrich).';
COMMENT ON COLUMN record_full.country IS 'Country code (enrich).';
COMMENT ON COLUMN record_full.messages IS 'count; NULL where unreadable.';
COMMENT ON COLUMN record_full.disposition IS 'none, quarantine, reject or pass; NULL where unknown.';
COMMENT ON COLUMN record_full.dkim_aligned IS 'policy_evaluated/dkim is pass; NULL where unknown.';
COMMENT ON COLUMN record_full.spf_aligned IS 'policy_evaluated/spf is pass; NULL where unknown.';
COMMENT ON COLUMN record_full.dmarc_pass IS 'DKIM aligned or SPF aligned.';
COMMENT ON COLUMN record_full.dkim_raw_pass IS 'Some DKIM result says pass, aligned or not.';
COMMENT ON COLUMN record_full.spf_raw_pass IS 'Some SPF result says pass, aligned or not.';
COMMENT ON COLUMN record_full.dkim_recomputed IS 'Our own verdict: some passing DKIM domain aligns with header from.';
COMMENT ON COLUMN record_full.spf_recomputed IS 'Our own verdict: some passing MAIL FROM domain aligns with header from.';
COMMENT ON COLUMN record_full.header_from IS 'RFC 5322 From domain.';
COMMENT ON COLUMN record_full.header_from_org IS 'Its organisational domain (public suffix list).';
COMMENT ON COLUMN record_full.envelope_from IS 'RFC 5321 MAIL FROM domain; empty for the null sender, NULL where not said.';
COMMENT ON COLUMN record_full.envelope_to IS 'Recipient domain; NULL where not said.';
COMMENT ON COLUMN record_full.policy_domain IS 'Domain whose policy the reporter applied, lower case.';
COMMENT ON COLUMN record_full.policy_domain_org IS 'Its organisational domain (public suffix list).';
COMMENT ON COLUMN record_full.effective_policy IS 'Policy that the report applies to header from: p, or sp for a subdomain.';
COMMENT ON COLUMN record_full.p IS 'Policy of the domain as reported.';
COMMENT ON COLUMN record_full.sp IS 'Policy of subdomains as reported; NULL where absent, never filled from p.';
COMMENT ON COLUMN record_full.np IS 'Policy of non-existent subdomains as reported (RFC 9091, RFC 9990).';
COMMENT ON COLUMN record_full.pct IS 'Sampling percentage as reported (RFC 7489); NULL where absent.';
COMMENT ON COLUMN record_full.adkim IS 'DKIM alignment mode as reported: r or s; NULL where absent.';
COMMENT ON COLUMN record_full.aspf IS 'SPF alignment mode as reported: r or s; NULL where absent.';
COMMENT ON COLUMN record_full.testing IS 'Testing flag t (RFC 9990).';
COMMENT ON COLUMN record_full.schema_variant IS 'rfc7489, rfc9990 or draft.';
COMMENT ON COLUMN record_full.sender IS 'Who sent it: a name of the config or the catalogue, a domain that the evidence names, or the address.';
COMMENT ON COLUMN record_full.sender_status IS 'approved, recognised or unknown.';
COMMENT ON COLUMN record_full.service IS 'Public service of the sender, where known.';
COMMENT ON COLUMN record_full.evidence IS 'What names the sender, in words.';
COMMENT ON COLUMN record_full.dkim IS 'DKIM results in document order.';
COMMENT ON COLUMN record_full.spf IS 'SPF results in document order.';
COMMENT ON COLUMN record_full.reasons IS 'Override reasons in document order.';
COMMENT ON COLUMN record_full.stream IS 'Number in stream: header from, results, policy, and what the receiver and we made of them.';
COMMENT ON COLUMN record_full.source IS 'Number in source.';
COMMENT ON COLUMN record_full.policy_domain_no IS 'Number of the policy domain in domain.';

CREATE OR REPLACE VIEW daily AS
SELECT r.report_day, d.name AS policy_domain, coalesce(n.name, s.source_ip) AS sender,
    coalesce(n.status, 'unknown') AS sender_status,
    sum(r.messages)::BIGINT AS messages,
    coalesce(sum(r.messages) FILTER (WHERE r.dmarc_pass), 0)::BIGINT AS dmarc_pass,
    coalesce(sum(r.messages) FILTER (WHERE r.dkim_aligned), 0)::BIGINT AS dkim_aligned,
    coalesce(sum(r.messages) FILTER (WHERE r.spf_aligned), 0)::BIGINT AS spf_aligned,
    coalesce(sum(r.messages) FILTER (WHERE r.disposition = 1), 0)::BIGINT AS quarantined,
    coalesce(sum(r.messages) FILTER (WHERE r.disposition = 2), 0)::BIGINT AS rejected
FROM attributed r
LEFT JOIN domain d ON d.domain_no = r.policy_domain
LEFT JOIN source s ON s.source_no = r.source
LEFT JOIN sender n ON n.sender_no = r.sender_no
GROUP BY ALL;
COMMENT ON VIEW daily IS 'Messages by report day, policy domain, sender and its status.';
COMMENT ON COLUMN daily.report_day IS 'UTC date of the middle of the period.';
COMMENT ON COLUMN daily.policy_domain IS 'Domain whose policy the reporter applied, lower case.';
COMMENT ON COLUMN daily.sender IS 'Who sent it: a name of the config or the catalogue, a domain that the evidence names, or the address.';
COMMENT ON COLUMN daily.sender_status IS 'approved, recognised or unknown.';
COMMENT ON COLUMN daily.messages IS 'Messages.';
COMMENT ON COLUMN daily.dmarc_pass IS 'Messages that pass DMARC.';
COMMENT ON COLUMN daily.dkim_aligned IS 'Messages that are DKIM aligned.';
COMMENT ON COLUMN daily.spf_aligned IS 'Messages that are SPF aligned.';
COMMENT ON COLUMN daily.quarantined IS 'Messages that were quarantined.';
COMMENT ON COLUMN daily.rejected IS 'Messages that were rejected.';

CREATE OR REPLACE VIEW dkim_results AS
SELECT f.* EXCLUDE (dkim, spf, reasons), u.d."domain" AS dkim_domain, u.d.domain_org AS dkim_domain_org,
    u.d.selector AS selector, u.d.result AS result, u.d.human_result AS human_result
FROM record_full f, unnest(f.dkim) AS u(d);
COMMENT ON VIEW dkim_results IS 'One row per record and DKIM result, with the columns of record_full. A record with two signatures counts twice: do not sum messages over records.';
COMMENT ON COLUMN dkim_results.dkim_domain IS 'Signing domain d=.';
COMMENT ON COLUMN dkim_results.dkim_domain_org IS 'Its organisational domain (public suffix list).';
COMMENT ON COLUMN dkim_results.selector IS 'Selector s=; NULL where not said.';
COMMENT ON COLUMN dkim_results.result IS 'The result, in the words of RFC 8601.';
COMMENT ON COLUMN dkim_results.human_result IS 'What the reporter added; NULL where nothing.';

CREATE OR REPLACE VIEW spf_results AS
SELECT f.* EXCLUDE (dkim, spf, reasons), u.d."domain" AS spf_domain, u.d.domain_org AS spf_domain_org,
    u.d."scope" AS "scope", u.d.result AS result, u.d.human_result AS human_result
FROM record_full f, unnest(f.spf) AS u(d);
COMMENT ON VIEW spf_results IS 'One row per record and SPF result, with the columns of record_full. A record with two results counts twice: do not sum messages over records.';
COMMENT ON COLUMN spf_results.spf_domain IS 'Domain checked.';
COMMENT ON COLUMN spf_results.spf_domain_org IS 'Its organisational domain (public suffix list).';
COMMENT ON COLUMN spf_results."scope" IS 'mfrom or helo; NULL where not said.';
COMMENT ON COLUMN spf_results.result IS 'The result, in the words of RFC 8601.';
COMMENT ON COLUMN spf_results.human_result IS 'What the reporter added; NULL where nothing.';

-- The policy of each domain on a day, which may be narrowed to report days and to numbers of policy domains. One report with a
-- date in the future must not speak for a domain. The newest report of each reporter in the domain's last two days has one
-- vote, value by value, since schemas differ (RFC 9990 has no pct, RFC 7489 no t and np) and one reporter may have a stale
-- record. Of values with as many votes the one of the newest report counts.
CREATE OR REPLACE MACRO policy_on(today, since := NULL, until := NULL, domains := NULL) AS TABLE
WITH last AS (
    SELECT policy_domain_no, coalesce(max(report_day) FILTER (WHERE report_day <= today + 1), max(report_day)) AS "day"
    FROM report
    WHERE policy_domain IS NOT NULL AND (since IS NULL OR report_day >= since) AND (until IS NULL OR report_day <= until)
        AND (domains IS NULL OR list_contains(domains, policy_domain_no))
    GROUP BY policy_domain_no
),
newest AS (
    -- Joined as they stand: what is made of the columns is made of two days of reports, not of all.
    SELECT r.policy_domain, r.policy_domain_org, r.policy_domain_no, r.end_at, r.p, coalesce(r.sp, r.p) AS sp, r.np,
        -- What a schema knows and a report does not say has its default.
        CASE WHEN r.schema_variant = 'rfc9990' THEN r.pct ELSE coalesce(r.pct, 100) END::VARCHAR AS pct,
        CASE WHEN r.schema_variant = 'rfc9990' THEN coalesce(r.testing, false) ELSE r.testing END::VARCHAR AS testing,
        coalesce(r.adkim, 'r') AS adkim, coalesce(r.aspf, 'r') AS aspf
    FROM report r JOIN last l ON l.policy_domain_no = r.policy_domain_no AND r.report_day BETWEEN l."day" - 1 AND l."day"
    WHERE r.policy_domain IS NOT NULL AND (since IS NULL OR r.report_day >= since) AND (until IS NULL OR r.report_day <= until)
        AND (domains IS NULL OR list_contains(domains, r.policy_domain_no))
    QUALIFY row_number() OVER (PARTITION BY r.policy_domain_no, lower(r.reporter) ORDER BY r.end_at DESC, r.report_key DESC) = 1
),
votes AS (
    SELECT policy_domain_no, field, vote, count(*) AS votes, max(end_at) AS end_at
    FROM newest UNPIVOT (vote FOR field IN (p, sp, np, pct, testing, adkim, aspf)) GROUP BY ALL
),
chosen AS (
    SELECT policy_domain_no, field, arg_max(vote, (votes, end_at, vote)) AS vote, max(votes) AS votes FROM votes GROUP BY ALL
),
named AS (
    SELECT policy_domain_no, max(vote) FILTER (WHERE field = 'p') AS p, max(vote) FILTER (WHERE field = 'sp') AS sp,
        max(vote) FILTER (WHERE field = 'np') AS np, max(vote) FILTER (WHERE field = 'pct')::UTINYINT AS pct,
        max(vote) FILTER (WHERE field = 'testing') = 'true' AS testing, max(vote) FILTER (WHERE field = 'adkim') AS adkim,
        max(vote) FILTER (WHERE field = 'aspf') AS aspf, max(votes) FILTER (WHERE field = 'pct') AS pct_reporters,
        max(votes) FILTER (WHERE field = 'testing') AS testing_reporters
    FROM chosen GROUP BY policy_domain_no
)
SELECT n.policy_domain, any_value(n.policy_domain_org) AS policy_domain_org, n.policy_domain_no, count(*) AS reporters,
    max(n.end_at) AS end_at, any_value(c.p) AS p, any_value(c.sp) AS sp, any_value(coalesce(c.np, c.sp)) AS np,
    coalesce(any_value(c.pct), 100) AS pct, coalesce(any_value(c.testing), false) AS testing, any_value(c.adkim) AS adkim,
    any_value(c.aspf) AS aspf, coalesce(any_value(c.pct_reporters), 0) AS pct_reporters,
    coalesce(any_value(c.testing_reporters), 0) AS testing_reporters
FROM newest n LEFT JOIN named c USING (policy_domain_no)
GROUP BY n.policy_domain, n.policy_domain_no;

CREATE OR REPLACE VIEW policy_latest AS
FROM policy_on(make_timestamp(epoch_us(current_timestamp))::DATE);
COMMENT ON VIEW policy_latest IS 'The policy of each domain as most reporters say in their newest reports of its last two days, value by value, with the defaults of the standards filled in. policy_on(DATE ''2026-11-24'') says the same of another day.';
COMMENT ON COLUMN policy_latest.policy_domain IS 'The domain.';
COMMENT ON COLUMN policy_latest.policy_domain_org IS 'Its organisational domain (public suffix list).';
COMMENT ON COLUMN policy_latest.policy_domain_no IS 'Its number in domain.';
COMMENT ON COLUMN policy_latest.reporters IS 'Reporters whose reports were looked at.';
COMMENT ON COLUMN policy_latest.end_at IS 'End of the last period, UTC.';
COMMENT ON COLUMN policy_latest.p IS 'Policy of the domain.';
COMMENT ON COLUMN policy_latest.sp IS 'Policy of its subdomains; p where absent.';
COMMENT ON COLUMN policy_latest.np IS 'Policy of non-existent subdomains; sp or p where absent.';
COMMENT ON COLUMN policy_latest.pct IS 'Sampling percentage; 100 where absent.';
COMMENT ON COLUMN policy_latest.testing IS 'Testing flag t (RFC 9990); false where absent.';
COMMENT ON COLUMN policy_latest.adkim IS 'DKIM alignment mode; r where absent.';
COMMENT ON COLUMN policy_latest.aspf IS 'SPF alignment mode; r where absent.';
COMMENT ON COLUMN policy_latest.pct_reporters IS 'Reporters of those that say this pct.';
COMMENT ON COLUMN policy_latest.testing_reporters IS 'Reporters of those that say this testing flag.';
