-- The store's first shape. Never edited once released: a change is a new file with the next number.
-- Text is interned: a record holds numbers, each naming a row of `domain`, `source`, `auth`, `reason` or `stream`.
-- The compression of a text column is named where it is known, as trying each costs more than the packing itself.
-- There are no primary keys: their indexes would cost more than the whole import, and the one writer keeps numbers unique.

CREATE TABLE run (
    run_no UINTEGER NOT NULL,
    command VARCHAR NOT NULL,
    version VARCHAR NOT NULL,
    started_at TIMESTAMPTZ NOT NULL,
    ended_at TIMESTAMPTZ,
    items UBIGINT NOT NULL DEFAULT 0,
    reports_stored UBIGINT NOT NULL DEFAULT 0,
    duplicates UBIGINT NOT NULL DEFAULT 0,
    conflicts UBIGINT NOT NULL DEFAULT 0,
    not_reports UBIGINT NOT NULL DEFAULT 0,
    failure_reports UBIGINT NOT NULL DEFAULT 0,
    tls_reports UBIGINT NOT NULL DEFAULT 0,
    rejected UBIGINT NOT NULL DEFAULT 0,
    records UBIGINT NOT NULL DEFAULT 0,
    messages UBIGINT NOT NULL DEFAULT 0,
    bytes_read UBIGINT NOT NULL DEFAULT 0,
    error VARCHAR
);
COMMENT ON TABLE run IS 'One row per import, fetch, retry or watch cycle.';
COMMENT ON COLUMN run.run_no IS 'Number of the run, from 1.';
COMMENT ON COLUMN run.command IS 'The command that ran: import, fetch, retry, watch.';
COMMENT ON COLUMN run.version IS 'Version of dmarcase that ran.';
COMMENT ON COLUMN run.started_at IS 'When it started, UTC.';
COMMENT ON COLUMN run.ended_at IS 'When it ended, UTC; NULL while it runs or where it was killed.';
COMMENT ON COLUMN run.items IS 'Items looked at.';
COMMENT ON COLUMN run.reports_stored IS 'Reports stored.';
COMMENT ON COLUMN run.duplicates IS 'Reports that the store already held, with the same content.';
COMMENT ON COLUMN run.conflicts IS 'Reports whose identity the store already held, with other content.';
COMMENT ON COLUMN run.not_reports IS 'Items and documents that are no report.';
COMMENT ON COLUMN run.failure_reports IS 'Failure reports (RFC 6591, RFC 9991) recognised.';
COMMENT ON COLUMN run.tls_reports IS 'SMTP TLS reports (RFC 8460) recognised.';
COMMENT ON COLUMN run.rejected IS 'Items and documents rejected: over a limit, damaged, unreadable.';
COMMENT ON COLUMN run.records IS 'Records stored.';
COMMENT ON COLUMN run.messages IS 'Messages of the records stored.';
COMMENT ON COLUMN run.bytes_read IS 'Bytes of the items looked at.';
COMMENT ON COLUMN run.error IS 'Why the run failed; NULL where it did not.';

CREATE TABLE report (
    report_no UINTEGER NOT NULL,
    report_key UUID NOT NULL,
    content_key UUID NOT NULL,
    run_no UINTEGER NOT NULL,
    reporter VARCHAR USING COMPRESSION dictionary,
    reporter_email VARCHAR USING COMPRESSION dictionary,
    extra_contact VARCHAR USING COMPRESSION dictionary,
    generator VARCHAR,
    report_id VARCHAR USING COMPRESSION fsst,
    begin_at TIMESTAMPTZ,
    end_at TIMESTAMPTZ,
    report_day DATE,
    long_period BOOLEAN NOT NULL,
    schema_variant VARCHAR NOT NULL USING COMPRESSION dictionary,
    policy_domain VARCHAR USING COMPRESSION dictionary,
    policy_domain_org VARCHAR USING COMPRESSION dictionary,
    policy_domain_no UINTEGER,
    adkim VARCHAR USING COMPRESSION dictionary,
    aspf VARCHAR USING COMPRESSION dictionary,
    p VARCHAR USING COMPRESSION dictionary,
    sp VARCHAR USING COMPRESSION dictionary,
    np VARCHAR,
    pct UTINYINT,
    fo VARCHAR USING COMPRESSION dictionary,
    testing BOOLEAN,
    psd VARCHAR,
    discovery_method VARCHAR,
    errors VARCHAR[],
    warnings STRUCT(code VARCHAR, place VARCHAR, "text" VARCHAR)[],
    received_at TIMESTAMPTZ,
    records UINTEGER NOT NULL,
    messages BIGINT NOT NULL,
    pass_messages BIGINT NOT NULL
);
COMMENT ON TABLE report IS 'One row per DMARC aggregate report stored.';
COMMENT ON COLUMN report.report_no IS 'Number of the report in this store, from 1.';
COMMENT ON COLUMN report.report_key IS 'Identity: hash of reporter (any case), report id, policy domain, begin and end.';
COMMENT ON COLUMN report.content_key IS 'Hash of everything that was read from the report; tells a duplicate from a conflict.';
COMMENT ON COLUMN report.run_no IS 'The run that stored it.';
COMMENT ON COLUMN report.reporter IS 'org_name: the organisation that sent the report.';
COMMENT ON COLUMN report.reporter_email IS 'email of the reporter.';
COMMENT ON COLUMN report.extra_contact IS 'extra_contact_info.';
COMMENT ON COLUMN report.generator IS 'Software that wrote the report (RFC 9990).';
COMMENT ON COLUMN report.report_id IS 'report_id, whole.';
COMMENT ON COLUMN report.begin_at IS 'Begin of the period, UTC.';
COMMENT ON COLUMN report.end_at IS 'End of the period, UTC.';
COMMENT ON COLUMN report.report_day IS 'UTC date of the middle of the period.';
COMMENT ON COLUMN report.long_period IS 'The period is longer than 36 hours.';
COMMENT ON COLUMN report.schema_variant IS 'rfc7489, rfc9990 or draft.';
COMMENT ON COLUMN report.policy_domain IS 'Domain whose policy the reporter applied, lower case.';
COMMENT ON COLUMN report.policy_domain_org IS 'Its organisational domain (public suffix list).';
COMMENT ON COLUMN report.policy_domain_no IS 'Its number in domain.';
COMMENT ON COLUMN report.adkim IS 'DKIM alignment mode as reported: r or s; NULL where absent.';
COMMENT ON COLUMN report.aspf IS 'SPF alignment mode as reported: r or s; NULL where absent.';
COMMENT ON COLUMN report.p IS 'Policy of the domain as reported.';
COMMENT ON COLUMN report.sp IS 'Policy of subdomains as reported; NULL where absent, never filled from p.';
COMMENT ON COLUMN report.np IS 'Policy of non-existent subdomains as reported (RFC 9091, RFC 9990).';
COMMENT ON COLUMN report.pct IS 'Sampling percentage as reported (RFC 7489); NULL where absent.';
COMMENT ON COLUMN report.fo IS 'Failure reporting options as reported.';
COMMENT ON COLUMN report.testing IS 'Testing flag t (RFC 9990).';
COMMENT ON COLUMN report.psd IS 'psd flag of drafts of RFC 9990.';
COMMENT ON COLUMN report.discovery_method IS 'psl or treewalk (RFC 9990).';
COMMENT ON COLUMN report.errors IS 'error texts of the reporter.';
COMMENT ON COLUMN report.warnings IS 'What the reader noticed: code, place (line:column), text.';
COMMENT ON COLUMN report.received_at IS 'When the item that brought it was received, where known.';
COMMENT ON COLUMN report.records IS 'Records of the report.';
COMMENT ON COLUMN report.messages IS 'Sum of the known counts.';
COMMENT ON COLUMN report.pass_messages IS 'Messages that are DKIM aligned or SPF aligned.';

CREATE TABLE record (
    report_no UINTEGER NOT NULL,
    record_no UINTEGER NOT NULL,
    policy_domain UINTEGER,
    report_day DATE,
    source UINTEGER,
    messages BIGINT,
    policy UTINYINT,
    disposition UTINYINT,
    dkim_aligned BOOLEAN,
    spf_aligned BOOLEAN,
    dmarc_pass BOOLEAN NOT NULL,
    dkim_raw_pass BOOLEAN NOT NULL,
    spf_raw_pass BOOLEAN NOT NULL,
    dkim_recomputed BOOLEAN NOT NULL,
    spf_recomputed BOOLEAN NOT NULL,
    header_from UINTEGER,
    envelope_from UINTEGER,
    envelope_to UINTEGER,
    auth UINTEGER NOT NULL,
    reason UINTEGER,
    stream UINTEGER NOT NULL
);
COMMENT ON TABLE record IS 'One row per record, numbers only; record_full shows it in words.';
COMMENT ON COLUMN record.report_no IS 'The report.';
COMMENT ON COLUMN record.record_no IS 'Place in the report, from 1.';
COMMENT ON COLUMN record.policy_domain IS 'Policy domain of the report: number in domain.';
COMMENT ON COLUMN record.report_day IS 'Report day of the report.';
COMMENT ON COLUMN record.source IS 'Sending address: number in source; NULL where unreadable.';
COMMENT ON COLUMN record.messages IS 'count; NULL where unreadable.';
COMMENT ON COLUMN record.policy IS 'Policy that the report applies to header from: p, or sp for a subdomain. 0 none, 1 quarantine, 2 reject; NULL where unknown.';
COMMENT ON COLUMN record.disposition IS '0 none, 1 quarantine, 2 reject, 3 pass; NULL where unknown.';
COMMENT ON COLUMN record.dkim_aligned IS 'policy_evaluated/dkim is pass; NULL where unknown.';
COMMENT ON COLUMN record.spf_aligned IS 'policy_evaluated/spf is pass; NULL where unknown.';
COMMENT ON COLUMN record.dmarc_pass IS 'DKIM aligned or SPF aligned.';
COMMENT ON COLUMN record.dkim_raw_pass IS 'Some DKIM result says pass, aligned or not.';
COMMENT ON COLUMN record.spf_raw_pass IS 'Some SPF result says pass, aligned or not.';
COMMENT ON COLUMN record.dkim_recomputed IS 'Our own verdict: some passing DKIM domain aligns with header from.';
COMMENT ON COLUMN record.spf_recomputed IS 'Our own verdict: some passing MAIL FROM domain aligns with header from.';
COMMENT ON COLUMN record.header_from IS 'RFC 5322 From domain: number in domain.';
COMMENT ON COLUMN record.envelope_from IS 'RFC 5321 MAIL FROM domain: number in domain.';
COMMENT ON COLUMN record.envelope_to IS 'Recipient domain: number in domain.';
COMMENT ON COLUMN record.auth IS 'The DKIM and SPF results: number in auth.';
COMMENT ON COLUMN record.reason IS 'The override reasons: number in reason; NULL where there are none.';
COMMENT ON COLUMN record.stream IS 'Header from and results together: number in stream, the unit of attribution.';

CREATE TABLE domain (
    domain_no UINTEGER NOT NULL,
    name VARCHAR NOT NULL,
    domain_org VARCHAR NOT NULL,
    is_org BOOLEAN NOT NULL
);
COMMENT ON TABLE domain IS 'Every domain name that a report mentioned, once.';
COMMENT ON COLUMN domain.domain_no IS 'Number of the domain, from 0.';
COMMENT ON COLUMN domain.name IS 'Lower case, no trailing dot, A-labels. Empty for the null sender.';
COMMENT ON COLUMN domain.domain_org IS 'Organisational domain (public suffix list).';
COMMENT ON COLUMN domain.is_org IS 'The name is its own organisational domain.';

CREATE TABLE source (
    source_no UINTEGER NOT NULL,
    source_ip VARCHAR NOT NULL,
    ip_sort UHUGEINT NOT NULL,
    sender_no UINTEGER,
    score UTINYINT,
    evidence VARCHAR,
    ptr VARCHAR,
    ptr_confirmed BOOLEAN,
    network VARCHAR,
    as_number UINTEGER,
    as_name VARCHAR,
    country VARCHAR,
    enriched_at TIMESTAMPTZ
);
COMMENT ON TABLE source IS 'Every sending address, once, with what is known of it.';
COMMENT ON COLUMN source.source_no IS 'Number of the source, from 0.';
COMMENT ON COLUMN source.source_ip IS 'Canonical text of the address.';
COMMENT ON COLUMN source.ip_sort IS 'The address as a 128-bit number that sorts and compares ranges; IPv4 as ::ffff:a.b.c.d.';
COMMENT ON COLUMN source.sender_no IS 'Sender that the address alone points to (network or name), in sender; NULL where none.';
COMMENT ON COLUMN source.score IS 'How specific that evidence is; compare with stream.score, the higher wins.';
COMMENT ON COLUMN source.evidence IS 'That evidence in words.';
COMMENT ON COLUMN source.ptr IS 'Host name of the address (enrich).';
COMMENT ON COLUMN source.ptr_confirmed IS 'The host name resolves back to the address; NULL where not checked.';
COMMENT ON COLUMN source.network IS 'Network of the address (enrich).';
COMMENT ON COLUMN source.as_number IS 'Autonomous system number (enrich).';
COMMENT ON COLUMN source.as_name IS 'Autonomous system name (enrich).';
COMMENT ON COLUMN source.country IS 'Country code (enrich).';
COMMENT ON COLUMN source.enriched_at IS 'When enrich last looked.';

CREATE TABLE auth (
    auth_no UINTEGER NOT NULL,
    auth_key UUID NOT NULL,
    dkim STRUCT("domain" VARCHAR, domain_org VARCHAR, selector VARCHAR, result VARCHAR, human_result VARCHAR)[] NOT NULL,
    spf STRUCT("domain" VARCHAR, domain_org VARCHAR, "scope" VARCHAR, result VARCHAR, human_result VARCHAR)[] NOT NULL
);
COMMENT ON TABLE auth IS 'Every distinct pair of DKIM and SPF results, once.';
COMMENT ON COLUMN auth.auth_no IS 'Number of the pair, from 0.';
COMMENT ON COLUMN auth.auth_key IS 'Hash of the pair.';
COMMENT ON COLUMN auth.dkim IS 'DKIM results in document order.';
COMMENT ON COLUMN auth.spf IS 'SPF results in document order.';

CREATE TABLE reason (
    reason_no UINTEGER NOT NULL,
    reason_key UUID NOT NULL,
    reasons STRUCT("type" VARCHAR, "comment" VARCHAR)[] NOT NULL
);
COMMENT ON TABLE reason IS 'Every distinct list of override reasons, once.';
COMMENT ON COLUMN reason.reason_no IS 'Number of the list, from 0.';
COMMENT ON COLUMN reason.reason_key IS 'Hash of the list.';
COMMENT ON COLUMN reason.reasons IS 'The reasons in document order.';

CREATE TABLE stream (
    stream_no UINTEGER NOT NULL,
    header_from UINTEGER,
    auth UINTEGER NOT NULL,
    sender_no UINTEGER,
    score UTINYINT,
    evidence VARCHAR,
    own_dkim VARCHAR,
    own_spf VARCHAR,
    foreign_dkim BOOLEAN,
    foreign_spf BOOLEAN
);
COMMENT ON TABLE stream IS 'Every distinct pair of header from and results, once: what attribution by DKIM and SPF domains looks at.';
COMMENT ON COLUMN stream.stream_no IS 'Number of the stream, from 0.';
COMMENT ON COLUMN stream.header_from IS 'RFC 5322 From domain: number in domain.';
COMMENT ON COLUMN stream.auth IS 'The DKIM and SPF results: number in auth.';
COMMENT ON COLUMN stream.sender_no IS 'Sender that the results point to, in sender; NULL where none.';
COMMENT ON COLUMN stream.score IS 'How specific that evidence is; compare with source.score, the higher wins.';
COMMENT ON COLUMN stream.evidence IS 'That evidence in words.';
COMMENT ON COLUMN stream.own_dkim IS 'Signatures of the From domain''s own organisation: pass where one passes, fail where none does, NULL where there are none.';
COMMENT ON COLUMN stream.own_spf IS 'MAIL FROM of the From domain''s own organisation: pass, fail, or NULL where the MAIL FROM domain is another''s or unknown.';
COMMENT ON COLUMN stream.foreign_dkim IS 'A signature of another organisation passes.';
COMMENT ON COLUMN stream.foreign_spf IS 'SPF passes for a MAIL FROM domain of another organisation.';

CREATE TABLE sender (
    sender_no UINTEGER NOT NULL,
    name VARCHAR NOT NULL,
    status VARCHAR NOT NULL,
    service VARCHAR,
    category VARCHAR,
    owner VARCHAR
);
COMMENT ON TABLE sender IS 'Who is behind sources: approved by the config, recognised by the catalogue, or named by evidence alone.';
COMMENT ON COLUMN sender.sender_no IS 'Number of the sender, from 0.';
COMMENT ON COLUMN sender.name IS 'Name in the config or the catalogue; for an unknown sender the domain that names it.';
COMMENT ON COLUMN sender.status IS 'approved, recognised or unknown.';
COMMENT ON COLUMN sender.service IS 'Public service that it uses, where known.';
COMMENT ON COLUMN sender.category IS 'Kind of service, from the catalogue.';
COMMENT ON COLUMN sender.owner IS 'Owner, from the config.';

-- The rules of an approved sender may be bound to some From domains. A source whose network is approved for some
-- From domains only has its rows here; `source.sender_no` holds what is true for every From domain.
CREATE TABLE source_from (
    source UINTEGER NOT NULL,
    header_from UINTEGER NOT NULL,
    sender_no UINTEGER NOT NULL,
    score UTINYINT NOT NULL,
    evidence VARCHAR NOT NULL
);
COMMENT ON TABLE source_from IS 'Attribution of a source for one From domain, where a rule is bound to From domains.';
COMMENT ON COLUMN source_from.source IS 'Number in source.';
COMMENT ON COLUMN source_from.header_from IS 'Number in domain.';
COMMENT ON COLUMN source_from.sender_no IS 'Number in sender.';
COMMENT ON COLUMN source_from.score IS 'How specific the evidence is.';
COMMENT ON COLUMN source_from.evidence IS 'The evidence in words.';

CREATE TABLE ledger (
    entry_no UBIGINT NOT NULL,
    run_no UINTEGER NOT NULL,
    account VARCHAR,
    folder VARCHAR,
    uid_validity UINTEGER,
    uid UINTEGER,
    path VARCHAR USING COMPRESSION fsst,
    member UBIGINT,
    document VARCHAR USING COMPRESSION fsst,
    content_hash UUID,
    size UBIGINT NOT NULL,
    mail_from VARCHAR USING COMPRESSION dictionary,
    mail_subject VARCHAR USING COMPRESSION fsst,
    mail_date TIMESTAMPTZ,
    received_at TIMESTAMPTZ,
    outcome VARCHAR NOT NULL USING COMPRESSION dictionary,
    code VARCHAR,
    reason VARCHAR,
    subject_domain VARCHAR,
    report_key UUID
);
COMMENT ON TABLE ledger IS 'What became of every item and every document in it. An item without documents has one row.';
COMMENT ON COLUMN ledger.entry_no IS 'Number of the entry, from 1: `inspect --ledger`.';
COMMENT ON COLUMN ledger.run_no IS 'The run that wrote it.';
COMMENT ON COLUMN ledger.account IS 'Mailbox name in the config, for a mail fetched.';
COMMENT ON COLUMN ledger.folder IS 'Folder, for a mail fetched.';
COMMENT ON COLUMN ledger.uid_validity IS 'UIDVALIDITY, for a mail fetched.';
COMMENT ON COLUMN ledger.uid IS 'UID, for a mail fetched.';
COMMENT ON COLUMN ledger.path IS 'Path, for a file.';
COMMENT ON COLUMN ledger.member IS 'Number of the mail in an mbox, from 1.';
COMMENT ON COLUMN ledger.document IS 'The way to the document inside the item, outermost first; NULL for an item without one, or a bare file.';
COMMENT ON COLUMN ledger.content_hash IS 'Hash of the bytes of the item (first 128 bits of BLAKE3).';
COMMENT ON COLUMN ledger.size IS 'Bytes of the item.';
COMMENT ON COLUMN ledger.mail_from IS 'From address of the mail.';
COMMENT ON COLUMN ledger.mail_subject IS 'Subject of the mail.';
COMMENT ON COLUMN ledger.mail_date IS 'Date of the mail.';
COMMENT ON COLUMN ledger.received_at IS 'When the mailbox received it.';
COMMENT ON COLUMN ledger.outcome IS 'stored, duplicate, conflict, failure-report, tls-report, not-a-report or rejected.';
COMMENT ON COLUMN ledger.code IS 'Fixed word for the reason: a limit, a kind of damage.';
COMMENT ON COLUMN ledger.reason IS 'The reason in words.';
COMMENT ON COLUMN ledger.subject_domain IS 'Domain that a failure or TLS report is about.';
COMMENT ON COLUMN ledger.report_key IS 'The report, for stored, duplicate and conflict.';

CREATE TABLE kept (
    content_hash UUID NOT NULL,
    size UBIGINT NOT NULL,
    gzip BLOB NOT NULL
);
COMMENT ON TABLE kept IS 'The bytes of rejected and conflicting items, so that retry and inspect can read them again.';
COMMENT ON COLUMN kept.content_hash IS 'Names the item, as in ledger.';
COMMENT ON COLUMN kept.size IS 'Bytes before compression.';
COMMENT ON COLUMN kept.gzip IS 'The bytes, gzip.';

CREATE TABLE mailbox (
    account VARCHAR NOT NULL,
    folder VARCHAR NOT NULL,
    uid_validity UINTEGER,
    last_uid UINTEGER,
    last_poll_at TIMESTAMPTZ,
    last_success_at TIMESTAMPTZ,
    last_error_at TIMESTAMPTZ,
    last_error VARCHAR
);
COMMENT ON TABLE mailbox IS 'How far each folder of each mailbox has been read.';
COMMENT ON COLUMN mailbox.account IS 'Mailbox name in the config.';
COMMENT ON COLUMN mailbox.folder IS 'Folder.';
COMMENT ON COLUMN mailbox.uid_validity IS 'UIDVALIDITY at the last poll.';
COMMENT ON COLUMN mailbox.last_uid IS 'Highest UID whose items are all in the ledger.';
COMMENT ON COLUMN mailbox.last_poll_at IS 'Last poll, failed or not.';
COMMENT ON COLUMN mailbox.last_success_at IS 'Last poll that went through.';
COMMENT ON COLUMN mailbox.last_error_at IS 'Last poll that failed.';
COMMENT ON COLUMN mailbox.last_error IS 'Why it failed; NULL since the next success.';

CREATE TABLE finding (
    found_at TIMESTAMPTZ NOT NULL,
    kind VARCHAR NOT NULL,
    subject VARCHAR NOT NULL,
    name VARCHAR NOT NULL,
    state VARCHAR NOT NULL,
    detail VARCHAR
);
COMMENT ON TABLE finding IS 'What live checks found, with time, so that there is a history.';
COMMENT ON COLUMN finding.found_at IS 'When it was found.';
COMMENT ON COLUMN finding.kind IS 'dns, blocklist or alert.';
COMMENT ON COLUMN finding.subject IS 'The domain or address looked at.';
COMMENT ON COLUMN finding.name IS 'What was checked.';
COMMENT ON COLUMN finding.state IS 'ok, defect or could-not-check.';
COMMENT ON COLUMN finding.detail IS 'The raw answer.';

CREATE TABLE setting (
    name VARCHAR NOT NULL,
    "value" VARCHAR NOT NULL
);
COMMENT ON TABLE setting IS 'What the store must remember about itself.';
COMMENT ON COLUMN setting.name IS 'Name of the setting.';
COMMENT ON COLUMN setting.value IS 'Its value.';
