SELECT policy_domain, sender, sender_status, sum(messages) AS messages,
    coalesce(sum(messages) FILTER (WHERE NOT dmarc_pass), 0) AS failing
FROM record_full
-- `dmarcase gaps` leaves out what it takes for own, forwarded and list mail, which needs more than these rows.
WHERE sender_status <> 'approved'
GROUP BY policy_domain, sender, sender_status ORDER BY failing DESC, 1, 2, 3;
