SELECT policy_domain, sp, np FROM {policies} WHERE policy_rank(np) < policy_rank(sp);
