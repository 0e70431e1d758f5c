-- Our own verdict on each stream of `flow`, from its auth_results, in both alignment modes. Relaxed is the organisation
-- (RFC 7489 section 3.1), which attribution has worked out already; SPF's part is the MAIL FROM identity, never HELO.
CREATE OR REPLACE TEMP TABLE sim_stream AS
SELECT t.stream_no AS stream,
    len(list_filter(a.dkim, lambda d: d.result IS NOT NULL)) > 0 AS dkim_known,
    coalesce(t.own_dkim = 'pass', false) AS dkim_relaxed,
    coalesce(len(list_filter(a.dkim, lambda d: d.result = 'pass' AND d."domain" = h.name)) > 0, false) AS dkim_strict,
    len(list_filter(a.spf, lambda s: s.result IS NOT NULL AND coalesce(s."scope", 'mfrom') <> 'helo')) > 0 AS spf_known,
    coalesce(t.own_spf = 'pass', false) AS spf_relaxed,
    coalesce(len(list_filter(a.spf, lambda s: s.result = 'pass' AND s."domain" = h.name
        AND coalesce(s."scope", 'mfrom') <> 'helo')) > 0, false) AS spf_strict
FROM (SELECT DISTINCT stream FROM flow) f
JOIN stream t ON t.stream_no = f.stream
JOIN auth a ON a.auth_no = t.auth
LEFT JOIN domain h ON h.domain_no = t.header_from;

-- Reasons that say what a receiver would do under any policy. Sampling and testing end with pct and t.
CREATE OR REPLACE TEMP TABLE sim_reason AS
SELECT reason_no FROM reason
WHERE list_bool_or(list_transform(reasons, lambda o: coalesce(o."type", 'other') NOT IN ('sampled_out', 'policy_test_mode')));
