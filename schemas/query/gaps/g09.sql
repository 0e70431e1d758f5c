SELECT policy_domain, header_from, source_ip, max(sender) AS sender, sum(messages) AS messages
FROM record_full
WHERE policy_domain IS NOT NULL AND source_ip IS NOT NULL AND {reports}
GROUP BY policy_domain, header_from, source_ip
HAVING coalesce(sum(messages) FILTER (WHERE spf_aligned), 0) > 0
   AND coalesce(sum(messages) FILTER (WHERE dkim_aligned), 0) = 0
ORDER BY messages DESC, 1, 2, 3;
