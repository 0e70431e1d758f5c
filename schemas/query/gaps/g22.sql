SELECT policy_domain, sum(messages) AS messages, coalesce(sum(messages) FILTER (WHERE NOT dmarc_pass), 0) AS failing,
    coalesce(sum(messages) FILTER (WHERE dmarc_pass), 0) / sum(messages) AS pass_rate
FROM record_full
WHERE policy_domain IS NOT NULL AND sender_status = 'approved' AND {reports}
-- approved_pass_rate of [gaps] in the config.
GROUP BY policy_domain HAVING pass_rate < {approved_pass_rate};
