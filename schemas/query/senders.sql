-- Sums of `flow` by sender. A key below zero is a source that nothing names: -2 - its number, or -1 for no readable source.
WITH named_reason AS (
    SELECT reason_no,
        list_bool_or(list_transform(reasons, lambda o: coalesce(o."type" IN ('forwarded', 'trusted_forwarder'), false))) AS forwarded,
        list_bool_or(list_transform(reasons, lambda o: coalesce(o."type" = 'mailing_list' OR o."comment" ILIKE '%mailing list%', false))) AS listed
    FROM reason
),
relay AS (
    -- Sources that relay mail whose signature survives.
    SELECT DISTINCT source FROM flow_source
    WHERE stream IN (SELECT stream FROM flow WHERE dkim_aligned AND NOT coalesce(spf_aligned, false) AND own_dkim = 'pass')
),
own_host AS (
    SELECT DISTINCT source FROM flow_source WHERE spf_aligned
),
sums AS (
    SELECT f.sender_key,
        sum(f.messages)::UBIGINT AS messages,
        coalesce(sum(f.messages) FILTER (WHERE f.dmarc_pass), 0)::UBIGINT AS dmarc_pass,
        coalesce(sum(f.messages) FILTER (WHERE f.dkim_aligned), 0)::UBIGINT AS dkim_aligned,
        coalesce(sum(f.messages) FILTER (WHERE f.spf_aligned), 0)::UBIGINT AS spf_aligned,
        coalesce(sum(f.messages) FILTER (WHERE f.own_dkim = 'pass' OR f.foreign_dkim), 0)::UBIGINT AS dkim_raw_pass,
        coalesce(sum(f.messages) FILTER (WHERE f.own_spf = 'pass' OR f.foreign_spf), 0)::UBIGINT AS spf_raw_pass,
        sum(CASE WHEN f.reason IS NOT NULL THEN f.messages ELSE f.softer END)::UBIGINT AS overridden,
        coalesce(sum(f.messages) FILTER (WHERE f.disposition = 1), 0)::UBIGINT AS quarantined,
        coalesce(sum(f.messages) FILTER (WHERE f.disposition = 2), 0)::UBIGINT AS rejected,
        coalesce(sum(f.messages) FILTER (WHERE NOT f.dmarc_pass AND (f.foreign_dkim OR f.foreign_spf)), 0)::UBIGINT AS as_another,
        coalesce(sum(f.messages) FILTER (WHERE NOT f.dmarc_pass AND f.foreign_dkim), 0)::UBIGINT AS signed_as_another,
        coalesce(sum(f.messages) FILTER (WHERE f.own_dkim = 'fail'), 0)::UBIGINT AS own_signature_broken,
        coalesce(sum(f.messages) FILTER (WHERE f.dkim_aligned AND NOT coalesce(f.spf_aligned, false)), 0)::UBIGINT AS dkim_alone,
        coalesce(sum(f.messages) FILTER (WHERE n.forwarded), 0)::UBIGINT AS forwarded,
        coalesce(sum(f.messages) FILTER (WHERE n.listed), 0)::UBIGINT AS listed,
        min(f.first_day) AS first_day, max(f.last_day) AS last_day, sum(f.records)::UBIGINT AS records,
        arg_max(f.evidence_at, (f.heaviest, f.evidence_at)) AS evidence_at,
        -- Where the evidence's words stand, of what has a name: joined by equality alone, or the join is a nested loop.
        CASE WHEN f.sender_key >= 0 THEN arg_max(f.evidence_at, (f.heaviest, f.evidence_at)) END AS named_at,
        list_sort(list_distinct(list(f.header_from))) AS header_from,
        list_sort(list_distinct(list(f.policy_domain))) AS policy_domain
    FROM flow f LEFT JOIN named_reason n ON n.reason_no = f.reason
    GROUP BY f.sender_key
),
sources AS (
    SELECT p.sender_key, count(*)::UBIGINT AS sources,
        -- Networks of the size that one customer gets: /24 of IPv4, /48 of IPv6.
        count(DISTINCT CASE WHEN s.ip_sort >> 32 = 65535 THEN s.ip_sort >> 8 ELSE s.ip_sort >> 80 END)::UBIGINT AS networks,
        coalesce(bool_or(r.source IS NOT NULL), false) AS relays,
        coalesce(bool_or(o.source IS NOT NULL), false) AS own_host,
        min(s.source_ip) AS source_ip
    FROM (SELECT DISTINCT sender_key, source FROM flow_source WHERE source IS NOT NULL) p
    JOIN source s ON s.source_no = p.source
    LEFT JOIN relay r ON r.source = p.source
    LEFT JOIN own_host o ON o.source = p.source
    GROUP BY p.sender_key
)
SELECT u.sender_key, n.name, coalesce(n.status, 'unknown') AS status, n.service, n.category, n.owner, x.source_ip,
    coalesce(t.evidence, b.evidence, s.evidence) AS evidence, coalesce(t.score, b.score, s.score, 0)::UTINYINT AS score,
    coalesce(x.sources, 0)::UBIGINT AS sources, coalesce(x.networks, 0)::UBIGINT AS networks,
    coalesce(x.relays, false) AS relays, coalesce(x.own_host, false) AS own_host, u.* EXCLUDE (sender_key, evidence_at, named_at)
FROM sums u
LEFT JOIN sources x ON x.sender_key = u.sender_key
LEFT JOIN sender n ON n.sender_no = u.sender_key
LEFT JOIN stream t ON t.stream_no = u.named_at
LEFT JOIN source s ON s.source_no = -1 - u.named_at
LEFT JOIN (
    SELECT source, sender_no, arg_max(evidence, (score, evidence)) AS evidence, max(score) AS score
    FROM source_from GROUP BY source, sender_no
) b ON b.source = -1 - u.evidence_at AND b.sender_no = u.sender_key
ORDER BY u.messages DESC, n.name, x.source_ip;
