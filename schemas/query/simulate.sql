-- What the policies of `sim_policy` would do to the rows of `flow`, by policy domain and sender.
WITH judged AS (
    SELECT f.*, coalesce(f.disposition, 0) % 3 AS done,
        -- Reports do not say whether a subdomain exists: np is not applied.
        CASE WHEN f.header_from <> f.policy_domain THEN p.sp ELSE p.p END AS asked,
        -- The reporter's verdict, where there are no auth_results to judge by.
        coalesce(f.dkim_aligned, false) AS dkim_reported, coalesce(f.spf_aligned, false) AS spf_reported,
        CASE WHEN p.strict_dkim THEN s.dkim_strict ELSE s.dkim_relaxed END AS dkim,
        CASE WHEN p.strict_spf THEN s.spf_strict ELSE s.spf_relaxed END AS spf,
        CASE WHEN p.now_strict_dkim THEN s.dkim_strict ELSE s.dkim_relaxed END AS dkim_now,
        CASE WHEN p.now_strict_spf THEN s.spf_strict ELSE s.spf_relaxed END AS spf_now,
        if(s.dkim_known, dkim, dkim_reported) OR if(s.spf_known, spf, spf_reported) AS pass,
        if(s.dkim_known, dkim_now, dkim_reported) OR if(s.spf_known, spf_now, spf_reported) AS pass_now,
        -- Passes by what auth_results say alone.
        s.dkim_known AND dkim OR s.spf_known AND spf AS proven,
        NOT s.dkim_known AND NOT s.spf_known AS blank,
        -- The receiver has a reason of its own, and did less than the policy of the day asked, or nothing was asked.
        n.reason_no IS NOT NULL AND (coalesce(f.policy, 0) = 0 OR done < f.policy) AS let_through
    FROM flow f
    JOIN sim_policy p ON p.policy_domain = f.policy_domain
    JOIN sim_stream s ON s.stream = f.stream
    LEFT JOIN sim_reason n ON n.reason_no = f.reason
)
SELECT policy_domain, sender_key,
    sum(messages)::UBIGINT AS messages,
    coalesce(sum(messages) FILTER (WHERE NOT pass), 0)::UBIGINT AS failing,
    coalesce(sum(messages) FILTER (WHERE NOT pass AND asked > done AND let_through), 0)::UBIGINT AS spared,
    coalesce(sum(messages) FILTER (WHERE NOT pass AND NOT let_through AND asked = 1 AND done = 0), 0)::UBIGINT AS none_to_quarantine,
    coalesce(sum(messages) FILTER (WHERE NOT pass AND NOT let_through AND asked = 2 AND done = 0), 0)::UBIGINT AS none_to_reject,
    coalesce(sum(messages) FILTER (WHERE NOT pass AND NOT let_through AND asked = 2 AND done = 1), 0)::UBIGINT AS quarantine_to_reject,
    coalesce(sum(messages) FILTER (WHERE blank OR pass AND NOT proven), 0)::UBIGINT AS by_reporter,
    coalesce(sum(messages) FILTER (WHERE pass_now <> dmarc_pass), 0)::UBIGINT AS disagree
FROM judged
GROUP BY policy_domain, sender_key HAVING sum(messages) > 0;
