SELECT policy_domain, sender, sum(messages) AS messages
FROM record_full
WHERE policy_domain IS NOT NULL AND NOT coalesce(dkim_aligned, false)
  AND stream IN (SELECT stream_no FROM stream WHERE own_dkim = 'pass' OR foreign_dkim)
  AND {reports}
GROUP BY policy_domain, sender HAVING sum(messages) > 0 ORDER BY messages DESC, 1, 2;
