SELECT policy_domain, sender, header_from, sum(messages) AS messages, min(evidence) AS evidence
FROM record_full
WHERE NOT dmarc_pass AND (dkim_raw_pass OR spf_raw_pass)
GROUP BY policy_domain, sender, header_from ORDER BY messages DESC, 1, 2, 3;
