SELECT policy_domain, sender, sum(messages) AS messages, coalesce(sum(messages) FILTER (WHERE NOT dmarc_pass), 0) AS failing
FROM record_full
WHERE policy_domain IS NOT NULL AND NOT coalesce(spf_aligned, false)
  AND stream IN (SELECT stream_no FROM stream WHERE own_spf = 'pass' OR foreign_spf)
  AND {reports}
GROUP BY policy_domain, sender HAVING sum(messages) > 0 ORDER BY messages DESC, 1, 2;
