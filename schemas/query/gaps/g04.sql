SELECT policy_domain, p, pct, pct_reporters FROM {policies} WHERE pct < 100 AND p <> 'none';
