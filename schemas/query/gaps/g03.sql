SELECT policy_domain, sp, np FROM policy_latest WHERE policy_rank(np) < policy_rank(sp);
