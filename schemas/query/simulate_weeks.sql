-- The mail of the senders of `sim_own` by policy domain and week, and how much of it the policies of `sim_policy` would
-- touch. The verdict on a pair of stream and source is worked out first, so that the scan reads and groups by little.
WITH own AS (
    SELECT DISTINCT f.stream, f.source, f.policy_domain,
        CASE WHEN f.header_from <> f.policy_domain THEN p.sp ELSE p.p END > 0
        AND NOT (s.dkim_known AND CASE WHEN p.strict_dkim THEN s.dkim_strict ELSE s.dkim_relaxed END
            OR s.spf_known AND CASE WHEN p.strict_spf THEN s.spf_strict ELSE s.spf_relaxed END
            OR NOT s.dkim_known AND coalesce(f.dkim_aligned, false)
            OR NOT s.spf_known AND coalesce(f.spf_aligned, false))
        AND NOT (t.reason IS NOT NULL AND t.reason IN (SELECT reason_no FROM sim_reason)
            AND (coalesce(t.policy, 0) = 0 OR coalesce(t.disposition, 0) % 3 < t.policy)) AS affected
    FROM flow_source f
    JOIN sim_own USING (policy_domain, sender_key)
    JOIN sim_policy p ON p.policy_domain = f.policy_domain
    JOIN sim_stream s ON s.stream = f.stream
    JOIN stream t ON t.stream_no = f.stream
)
SELECT r.policy_domain, date_trunc('week', r.report_day) AS week, coalesce(sum(r.messages), 0)::UBIGINT AS messages,
    coalesce(sum(r.messages) FILTER (WHERE o.affected), 0)::UBIGINT AS affected
FROM record_row r
JOIN own o ON o.stream = r.stream AND o.source IS NOT DISTINCT FROM r.source AND o.policy_domain = r.policy_domain
WHERE r.report_day IS NOT NULL AND {records}
GROUP BY 1, 2 HAVING sum(r.messages) > 0 ORDER BY 2, 1;
