SELECT policy_domain, sender, header_from, sum(messages) AS messages, min(evidence) AS evidence
FROM record_full
WHERE policy_domain IS NOT NULL AND NOT dmarc_pass
  -- Not where HELO alone passes, which is no part of DMARC.
  AND stream IN (SELECT stream_no FROM stream WHERE own_dkim = 'pass' OR foreign_dkim OR own_spf = 'pass' OR foreign_spf)
  AND {reports}
GROUP BY policy_domain, sender, header_from HAVING sum(messages) > 0 ORDER BY messages DESC, 1, 2, 3;
