-- Views for people who write SQL. Re-created by the writer when they change; names are the words of the documentation.

CREATE OR REPLACE MACRO policy_rank(word) AS CASE word WHEN 'none' THEN 0 WHEN 'quarantine' THEN 1 WHEN 'reject' THEN 2 END;
CREATE OR REPLACE MACRO disposition_word(number) AS CASE number WHEN 0 THEN 'none' WHEN 1 THEN 'quarantine' WHEN 2 THEN 'reject' WHEN 3 THEN 'pass' END;

-- Which of the three attributions of a record counts: the most specific one.
CREATE OR REPLACE VIEW attributed AS
SELECT r.*,
    CASE WHEN coalesce(f.score, 0) >= coalesce(t.score, 0) AND coalesce(f.score, 0) >= coalesce(s.score, 0) THEN f.sender_no
         WHEN coalesce(t.score, 0) >= coalesce(s.score, 0) THEN t.sender_no
         ELSE s.sender_no END AS sender_no,
    CASE WHEN coalesce(f.score, 0) >= coalesce(t.score, 0) AND coalesce(f.score, 0) >= coalesce(s.score, 0) THEN f.evidence
         WHEN coalesce(t.score, 0) >= coalesce(s.score, 0) THEN t.evidence
         ELSE s.evidence END AS evidence
FROM record r
LEFT JOIN stream t ON t.stream_no = r.stream
LEFT JOIN source s ON s.source_no = r.source
LEFT JOIN source_from f ON f.source = r.source AND f.header_from = r.header_from;
COMMENT ON VIEW attributed IS 'record with the number of its sender and the evidence for it.';

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

CREATE OR REPLACE VIEW daily AS
SELECT r.report_day, d.name AS policy_domain, coalesce(n.name, s.source_ip) AS sender,
    any_value(coalesce(n.status, 'unknown')) AS sender_status,
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
COMMENT ON VIEW daily IS 'Messages by report day, policy domain and sender.';

CREATE OR REPLACE VIEW dkim_results AS
SELECT f.* EXCLUDE (dkim, spf, reasons), u.d."domain" AS dkim_domain, u.d.domain_org AS dkim_domain_org,
    u.d.selector AS selector, u.d.result AS result, u.d.human_result AS human_result
FROM record_full f, unnest(f.dkim) AS u(d);
COMMENT ON VIEW dkim_results IS 'One row per record and DKIM result. A record with two signatures counts twice: do not sum messages over records.';

CREATE OR REPLACE VIEW spf_results AS
SELECT f.* EXCLUDE (dkim, spf, reasons), u.d."domain" AS spf_domain, u.d.domain_org AS spf_domain_org,
    u.d."scope" AS "scope", u.d.result AS result, u.d.human_result AS human_result
FROM record_full f, unnest(f.spf) AS u(d);
COMMENT ON VIEW spf_results IS 'One row per record and SPF result. A record with two results counts twice: do not sum messages over records.';

CREATE OR REPLACE VIEW policy_latest AS
WITH last AS (SELECT policy_domain_no, max(report_day) AS "day" FROM report GROUP BY policy_domain_no)
SELECT r.policy_domain, any_value(r.policy_domain_org) AS policy_domain_org, r.policy_domain_no,
    count(DISTINCT lower(r.reporter)) AS reporters, max(r.end_at) AS end_at,
    mode(r.p) AS p, coalesce(mode(coalesce(r.sp, r.p)), mode(r.p)) AS sp,
    coalesce(mode(r.np), mode(coalesce(r.sp, r.p)), mode(r.p)) AS np, coalesce(mode(r.pct), 100) AS pct,
    coalesce(mode(r.testing), false) AS testing, coalesce(mode(r.adkim), 'r') AS adkim, coalesce(mode(r.aspf), 'r') AS aspf
FROM report r JOIN last ON last.policy_domain_no = r.policy_domain_no AND r.report_day >= last."day" - 1
WHERE r.policy_domain IS NOT NULL
GROUP BY r.policy_domain, r.policy_domain_no;
COMMENT ON VIEW policy_latest IS 'The policy of each domain as most reports of its last two days say, value by value, with the defaults of the standards filled in.';
