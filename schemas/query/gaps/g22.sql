SELECT policy_domain, sum(messages) AS messages, sum(messages) FILTER (WHERE dmarc_pass) / sum(messages) AS pass_rate
FROM record_full
WHERE sender_status = 'approved'
GROUP BY policy_domain HAVING pass_rate < 0.98;
