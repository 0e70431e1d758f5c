SELECT policy_domain, p, sp FROM policy_latest WHERE policy_rank(sp) < policy_rank(p);
