SELECT policy_domain, sender, sender_status, sum(messages) AS messages,
    coalesce(sum(messages) FILTER (WHERE NOT dmarc_pass), 0) AS failing
FROM record_full
WHERE policy_domain IS NOT NULL AND sender_status <> 'approved'
  -- Own, forwarded and list mail needs no approval: the senders of these classes in `dmarcase senders`.
  AND NOT coalesce(list_contains({no_approval}, sender), false)
  AND {reports}
GROUP BY policy_domain, sender, sender_status HAVING sum(messages) > 0 ORDER BY failing DESC, 1, 2;
