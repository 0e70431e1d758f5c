SELECT policy_domain, p, sp FROM {policies} WHERE policy_rank(sp) < policy_rank(p);
