SELECT policy_domain, p, sp, np, testing_reporters FROM {policies} WHERE testing AND (p <> 'none' OR sp <> 'none' OR np <> 'none');
