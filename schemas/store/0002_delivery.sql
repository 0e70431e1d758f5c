-- Delivery evidence: attempts out of logs and events, and the life of each message to each recipient.
-- As in `record`, rows hold numbers; the views delivery_attempt, delivery_message and attempts show them in words.

CREATE TABLE delivery_text (
    text_no UINTEGER NOT NULL,
    "text" VARCHAR NOT NULL
);
COMMENT ON TABLE delivery_text IS 'Every text that delivery rows repeat, once: domains, hosts, addresses, campaigns, files.';
COMMENT ON COLUMN delivery_text.text_no IS 'Number of the text, from 0.';
COMMENT ON COLUMN delivery_text.text IS 'The text. Empty for the null sender.';

CREATE TABLE delivery_response (
    response_no UINTEGER NOT NULL,
    smtp_code USMALLINT,
    enhanced_code VARCHAR,
    stage VARCHAR,
    shape VARCHAR NOT NULL,
    template VARCHAR NOT NULL,
    parts VARCHAR[] NOT NULL,
    gateway VARCHAR,
    reputation_of VARCHAR[] NOT NULL
);
COMMENT ON TABLE delivery_response IS 'Every response shape, once: a response with its numbers, addresses, hosts and ids taken out.';
COMMENT ON COLUMN delivery_response.response_no IS 'Number of the shape, from 0.';
COMMENT ON COLUMN delivery_response.smtp_code IS 'First [245]dd of the reply; NULL where there was no reply. Never guessed from the enhanced code.';
COMMENT ON COLUMN delivery_response.enhanced_code IS 'Enhanced code (RFC 3463) of the reply, else of the log where it says more than the class.';
COMMENT ON COLUMN delivery_response.stage IS 'Where in the conversation: greeting, hello, mail, rcpt, data, end-of-data; NULL where not said.';
COMMENT ON COLUMN delivery_response.shape IS 'The shape for people: what varies is <n>, <ip>, <host>, <id> or <address>.';
COMMENT ON COLUMN delivery_response.template IS 'The shape with control characters 1 to 5 for what varies.';
COMMENT ON COLUMN delivery_response.parts IS 'The fixed parts of the shape; with what varies in between they are the response again.';
COMMENT ON COLUMN delivery_response.gateway IS 'Gateway whose own words these are; NULL where the words are anybody''s.';
COMMENT ON COLUMN delivery_response.reputation_of IS 'Gateways whose reputation answer this is.';

CREATE TABLE delivery_route (
    route_no UINTEGER NOT NULL,
    recipient_domain UINTEGER NOT NULL,
    relay_gateway VARCHAR,
    gateway VARCHAR NOT NULL
);
COMMENT ON TABLE delivery_route IS 'Recipient domain and the gateway of the hosts that were asked for it: which gateway stands before the domain.';
COMMENT ON COLUMN delivery_route.route_no IS 'Number of the route, from 0.';
COMMENT ON COLUMN delivery_route.recipient_domain IS 'Number in delivery_text.';
COMMENT ON COLUMN delivery_route.relay_gateway IS 'Gateway by the name of the host; NULL where no host is known or its name says nothing.';
COMMENT ON COLUMN delivery_route.gateway IS 'Gateway that counts: by the words of its responses, else by the host, else by the other routes of the domain, else unknown.';

CREATE TABLE delivery_vote (
    route_no UINTEGER NOT NULL,
    gateway VARCHAR NOT NULL,
    responses UBIGINT NOT NULL
);
COMMENT ON TABLE delivery_vote IS 'How many responses on a route were some gateway''s own words.';
COMMENT ON COLUMN delivery_vote.route_no IS 'Number in delivery_route.';
COMMENT ON COLUMN delivery_vote.gateway IS 'The gateway.';
COMMENT ON COLUMN delivery_vote.responses IS 'The responses.';

CREATE TABLE delivery_envelope (
    message_key UBIGINT NOT NULL,
    queue_key UBIGINT NOT NULL,
    "system" UINTEGER NOT NULL,
    queue_id VARCHAR NOT NULL,
    message_id VARCHAR,
    id_kind UTINYINT NOT NULL,
    envelope_from UINTEGER,
    campaign UINTEGER,
    first_at TIMESTAMPTZ NOT NULL,
    last_at TIMESTAMPTZ NOT NULL,
    removed_at TIMESTAMPTZ,
    expired_at TIMESTAMPTZ
);
COMMENT ON TABLE delivery_envelope IS 'One row per message as the sending system knew it.';
COMMENT ON COLUMN delivery_envelope.message_key IS 'Identity of the message.';
COMMENT ON COLUMN delivery_envelope.queue_key IS 'Identity of its queue id at its host, which another message may get later.';
COMMENT ON COLUMN delivery_envelope.system IS 'Log host and instance, or the platform: number in delivery_text.';
COMMENT ON COLUMN delivery_envelope.queue_id IS 'Queue id, or the platform''s id of the message.';
COMMENT ON COLUMN delivery_envelope.message_id IS 'Message-ID without brackets; NULL where no line says it.';
COMMENT ON COLUMN delivery_envelope.id_kind IS 'What people should quote: 0 queue id, 1 Message-ID, 2 id of the platform.';
COMMENT ON COLUMN delivery_envelope.envelope_from IS 'Domain of the envelope sender: number in delivery_text; NULL where not said.';
COMMENT ON COLUMN delivery_envelope.campaign IS 'Campaign, category or tag: number in delivery_text.';
COMMENT ON COLUMN delivery_envelope.first_at IS 'First line read for it, UTC.';
COMMENT ON COLUMN delivery_envelope.last_at IS 'Last line read for it, UTC.';
COMMENT ON COLUMN delivery_envelope.removed_at IS 'When it left the queue, UTC.';
COMMENT ON COLUMN delivery_envelope.expired_at IS 'When the queue gave up on the recipients without an answer, UTC.';

CREATE TABLE delivery_line (
    attempt_key UBIGINT NOT NULL,
    message_key UBIGINT NOT NULL,
    recipient_key UBIGINT NOT NULL,
    recipient_domain UINTEGER NOT NULL,
    attempt_at TIMESTAMPTZ NOT NULL,
    status UTINYINT NOT NULL,
    internal BOOLEAN NOT NULL,
    response UINTEGER,
    vars VARCHAR,
    relay UINTEGER,
    route UINTEGER NOT NULL,
    source UINTEGER,
    source_from UTINYINT NOT NULL,
    retry_no USMALLINT,
    "file" UINTEGER,
    line UINTEGER
);
COMMENT ON TABLE delivery_line IS 'One row per line or event that matters, numbers only; delivery_attempt shows it in words.';
COMMENT ON COLUMN delivery_line.attempt_key IS 'Identity: the same line read twice is stored once.';
COMMENT ON COLUMN delivery_line.message_key IS 'The message, in delivery_envelope.';
COMMENT ON COLUMN delivery_line.recipient_key IS 'The recipient: keyed hash of the address.';
COMMENT ON COLUMN delivery_line.recipient_domain IS 'Number in delivery_text.';
COMMENT ON COLUMN delivery_line.attempt_at IS 'When, UTC.';
COMMENT ON COLUMN delivery_line.status IS '0 delivered, 1 deferred, 2 bounced, 3 expired, 4 dropped, 5 suspended.';
COMMENT ON COLUMN delivery_line.internal IS 'The next hop is one''s own: a mailbox, a content filter, a smarthost on a private address.';
COMMENT ON COLUMN delivery_line.response IS 'Number in delivery_response; NULL where there was none.';
COMMENT ON COLUMN delivery_line.vars IS 'What varies in the response, control character 31 in between.';
COMMENT ON COLUMN delivery_line.relay IS 'Host that was asked: number in delivery_text.';
COMMENT ON COLUMN delivery_line.route IS 'Number in delivery_route.';
COMMENT ON COLUMN delivery_line.source IS 'Sending address: number in delivery_text; NULL where neither log nor response nor operator says it.';
COMMENT ON COLUMN delivery_line.source_from IS 'How it is known: 0 not, 1 log, 2 response, 3 operator.';
COMMENT ON COLUMN delivery_line.retry_no IS 'Retry number as the log gives it, from 1; NULL where it does not.';
COMMENT ON COLUMN delivery_line.file IS 'Number in delivery_file; NULL for an expiry worked out from the end of the message.';
COMMENT ON COLUMN delivery_line.line IS 'Line or event in the file, from 1.';

CREATE TABLE delivery_life (
    message_key UBIGINT NOT NULL,
    recipient_key UBIGINT NOT NULL,
    recipient_domain UINTEGER NOT NULL,
    route UINTEGER NOT NULL,
    internal BOOLEAN NOT NULL,
    source UINTEGER,
    envelope_from UINTEGER,
    campaign UINTEGER,
    first_at TIMESTAMPTZ NOT NULL,
    last_at TIMESTAMPTZ NOT NULL,
    attempts UINTEGER NOT NULL,
    deferrals UINTEGER NOT NULL,
    reputation_deferrals UINTEGER NOT NULL,
    suspended UINTEGER NOT NULL,
    outcome UTINYINT NOT NULL,
    first_deferral_at TIMESTAMPTZ,
    first_deferral UINTEGER,
    final_at TIMESTAMPTZ
);
COMMENT ON TABLE delivery_life IS 'The life of one message to one recipient, numbers only; delivery_message shows it in words.';
COMMENT ON COLUMN delivery_life.message_key IS 'The message, in delivery_envelope.';
COMMENT ON COLUMN delivery_life.recipient_key IS 'The recipient: keyed hash of the address.';
COMMENT ON COLUMN delivery_life.recipient_domain IS 'Number in delivery_text.';
COMMENT ON COLUMN delivery_life.route IS 'Route of its last attempt whose host is known: number in delivery_route.';
COMMENT ON COLUMN delivery_life.internal IS 'All its attempts went to one''s own next hop.';
COMMENT ON COLUMN delivery_life.source IS 'Sending address of its last attempt that has one: number in delivery_text.';
COMMENT ON COLUMN delivery_life.envelope_from IS 'Domain of the envelope sender: number in delivery_text.';
COMMENT ON COLUMN delivery_life.campaign IS 'Campaign: number in delivery_text.';
COMMENT ON COLUMN delivery_life.first_at IS 'First attempt, else first line, UTC. Its UTC day is the day that the life counts on.';
COMMENT ON COLUMN delivery_life.last_at IS 'Last line, UTC.';
COMMENT ON COLUMN delivery_life.attempts IS 'Real attempts: delivered, deferred or bounced.';
COMMENT ON COLUMN delivery_life.deferrals IS 'Deferrals of any kind.';
COMMENT ON COLUMN delivery_life.reputation_deferrals IS 'Deferrals whose response is the gateway''s reputation answer.';
COMMENT ON COLUMN delivery_life.suspended IS 'Lines where the queue put the message off without trying.';
COMMENT ON COLUMN delivery_life.outcome IS '0 delivered, 1 delivered after deferral, 2 expired, 3 bounced, 4 dropped, 5 open.';
COMMENT ON COLUMN delivery_life.first_deferral_at IS 'First deferral, UTC.';
COMMENT ON COLUMN delivery_life.first_deferral IS 'Its response: number in delivery_response.';
COMMENT ON COLUMN delivery_life.final_at IS 'When the outcome came, UTC; NULL while open.';

CREATE TABLE delivery_recipient (
    recipient_key UBIGINT NOT NULL,
    address VARCHAR NOT NULL
);
COMMENT ON TABLE delivery_recipient IS 'Addresses of recipients, where the operator keeps them (--keep-recipients).';
COMMENT ON COLUMN delivery_recipient.recipient_key IS 'Keyed hash of the address.';
COMMENT ON COLUMN delivery_recipient.address IS 'The address.';

CREATE TABLE delivery_file (
    file_no UINTEGER NOT NULL,
    run_no UINTEGER NOT NULL,
    path VARCHAR NOT NULL,
    format VARCHAR,
    bytes UBIGINT NOT NULL,
    lines UBIGINT NOT NULL,
    understood UBIGINT NOT NULL,
    ignored UBIGINT NOT NULL,
    other_programs UBIGINT NOT NULL,
    unknown UBIGINT NOT NULL,
    cut UBIGINT NOT NULL,
    complaints UBIGINT NOT NULL,
    attempts UBIGINT NOT NULL,
    stored UBIGINT NOT NULL,
    duplicates UBIGINT NOT NULL,
    first_at TIMESTAMPTZ,
    last_at TIMESTAMPTZ,
    zone VARCHAR,
    note VARCHAR
);
COMMENT ON TABLE delivery_file IS 'What became of every log or event file read.';
COMMENT ON COLUMN delivery_file.file_no IS 'Number of the file, from 1.';
COMMENT ON COLUMN delivery_file.run_no IS 'The run that read it.';
COMMENT ON COLUMN delivery_file.path IS 'Its path.';
COMMENT ON COLUMN delivery_file.format IS 'Format recognised; NULL where none was.';
COMMENT ON COLUMN delivery_file.bytes IS 'Bytes read, after decompression.';
COMMENT ON COLUMN delivery_file.lines IS 'Lines or events looked at.';
COMMENT ON COLUMN delivery_file.understood IS 'Lines read that carry evidence.';
COMMENT ON COLUMN delivery_file.ignored IS 'Lines of known kinds that carry none.';
COMMENT ON COLUMN delivery_file.other_programs IS 'Lines of other programs.';
COMMENT ON COLUMN delivery_file.unknown IS 'Lines not understood; delivery_unknown has their shapes.';
COMMENT ON COLUMN delivery_file.cut IS 'Lines that end too early.';
COMMENT ON COLUMN delivery_file.complaints IS 'Complaint events.';
COMMENT ON COLUMN delivery_file.attempts IS 'Attempts read.';
COMMENT ON COLUMN delivery_file.stored IS 'Attempts that were new and are stored.';
COMMENT ON COLUMN delivery_file.duplicates IS 'Attempts that the store held already.';
COMMENT ON COLUMN delivery_file.first_at IS 'First attempt, UTC.';
COMMENT ON COLUMN delivery_file.last_at IS 'Last attempt, UTC.';
COMMENT ON COLUMN delivery_file.zone IS 'Zone that stamps without one were read in.';
COMMENT ON COLUMN delivery_file.note IS 'What is wrong with the file, in words.';

CREATE TABLE delivery_unknown (
    file_no UINTEGER NOT NULL,
    shape VARCHAR NOT NULL,
    lines UBIGINT NOT NULL,
    first_line UBIGINT NOT NULL
);
COMMENT ON TABLE delivery_unknown IS 'Lines not understood, by shape: where they are many, the reader has a gap.';
COMMENT ON COLUMN delivery_unknown.file_no IS 'Number in delivery_file.';
COMMENT ON COLUMN delivery_unknown.shape IS 'The line with its numbers, hosts and ids taken out.';
COMMENT ON COLUMN delivery_unknown.lines IS 'Lines of that shape.';
COMMENT ON COLUMN delivery_unknown.first_line IS 'The first one, from 1.';
