//! Starts a real Dovecot on loopback, with a CA of its own and mail folders that tests fill through the file system.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use tempfile::TempDir;

/// The user that owns the mail where the test runs as root: Dovecot refuses to serve root's.
const MAIL_USER: u32 = 5000;

/// A running server. Stopped when dropped.
pub(crate) struct Dovecot {
    base: TempDir,
    child: Child,
    /// Implicit TLS.
    pub(crate) imaps: u16,
    /// STARTTLS.
    pub(crate) imap: u16,
}

impl Dovecot {
    /// Starts one, or says loudly that there is none. In CI that is a failure.
    pub(crate) fn start() -> Option<Self> {
        Self::start_with("")
    }

    /// Starts one with more lines in its config.
    pub(crate) fn start_with(more: &str) -> Option<Self> {
        let Some(program) =
            ["/usr/sbin/dovecot", "/usr/local/sbin/dovecot"].into_iter().find(|path| Path::new(path).exists())
        else {
            assert!(
                std::env::var_os("CI").is_none(),
                "no Dovecot here, and CI must test against one: install dovecot-imapd"
            );
            println!("SKIPPED: there is no Dovecot here (apt-get install dovecot-imapd)");
            return None;
        };
        let base = tempfile::tempdir().unwrap();
        let root = is_root();
        if root {
            // The mail user must get through to its mail.
            open_to_all(base.path());
        }
        certificates(base.path());
        fs::write(base.path().join("passwd"), "dmarc:{PLAIN}secret\n").unwrap();
        for folder in ["run", "mail", "mail/dmarc"] {
            fs::create_dir_all(base.path().join(folder)).unwrap();
        }
        let more = more.replace("BASE", &base.path().display().to_string());
        own(&base.path().join("mail"));
        let run = |imaps, imap| {
            let config = config(base.path(), imaps, imap, root, &more);
            fs::write(base.path().join("dovecot.conf"), config).unwrap();
            Command::new(program)
                .arg("-F")
                .arg("-c")
                .arg(base.path().join("dovecot.conf"))
                .stdout(Stdio::null())
                .stderr(fs::File::create(base.path().join("dovecot.err")).unwrap())
                .spawn()
                .unwrap()
        };
        let (mut imaps, mut imap) = (free_port(), free_port());
        let mut child = run(imaps, imap);
        let end = Instant::now() + Duration::from_secs(40);
        while std::net::TcpStream::connect(("127.0.0.1", imaps)).is_err() {
            let said = ["dovecot.err", "dovecot.log"].map(|name| fs::read_to_string(base.path().join(name)));
            assert!(Instant::now() < end, "Dovecot does not start: {said:?}");
            // Another test's connection may have got a port that was free a moment ago: Dovecot ends then.
            if child.try_wait().unwrap().is_some() {
                (imaps, imap) = (free_port(), free_port());
                child = run(imaps, imap);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let server = Self { base, child, imaps, imap };
        Some(server)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.base.path().join(name)
    }

    /// The certificate that signed the server's.
    pub(crate) fn ca(&self) -> PathBuf {
        self.path("ca.pem")
    }

    /// The maildir of a folder: INBOX, or one below it.
    pub(crate) fn maildir(&self, folder: &str) -> PathBuf {
        let inbox = self.path("mail/dmarc");
        if folder == "INBOX" { inbox } else { inbox.join(format!(".{folder}")) }
    }

    /// Puts mails into a folder as a delivery would; each gets a name that sorts in the order given.
    pub(crate) fn deliver<'m>(&self, folder: &str, mails: impl IntoIterator<Item = &'m [u8]>) {
        let maildir = self.maildir(folder);
        for part in ["cur", "new", "tmp"] {
            fs::create_dir_all(maildir.join(part)).unwrap();
        }
        let before = self.names(folder).len();
        for (n, mail) in mails.into_iter().enumerate() {
            let name = format!("{}.M{:06}.test", 1_700_000_000 + before, before + n);
            let partial = maildir.join("tmp").join(&name);
            fs::write(&partial, mail).unwrap();
            fs::rename(partial, maildir.join("new").join(name)).unwrap();
        }
        own(&maildir);
    }

    /// Copies a whole maildir into a folder.
    pub(crate) fn fill(&self, folder: &str, from: &Path) {
        let maildir = self.maildir(folder);
        for part in ["cur", "new", "tmp"] {
            fs::create_dir_all(maildir.join(part)).unwrap();
            let Ok(entries) = fs::read_dir(from.join(part)) else { continue };
            for entry in entries {
                let entry = entry.unwrap();
                fs::copy(entry.path(), maildir.join(part).join(entry.file_name())).unwrap();
            }
        }
        own(&maildir);
    }

    /// The file names of a folder's mails; flags stand at their ends.
    pub(crate) fn names(&self, folder: &str) -> Vec<String> {
        let mut names = Vec::new();
        for part in ["cur", "new"] {
            if let Ok(entries) = fs::read_dir(self.maildir(folder).join(part)) {
                names.extend(entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()));
            }
        }
        names.sort();
        names
    }

    /// Returns whether any mail of the folder is marked as read.
    pub(crate) fn any_read(&self, folder: &str) -> bool {
        self.names(folder).iter().any(|name| name.rsplit_once(":2,").is_some_and(|(_, flags)| flags.contains('S')))
    }

    /// A `[[mailbox]]` section for this server, with implicit TLS, and more lines.
    pub(crate) fn mailbox(&self, more: &str) -> String {
        self.mailbox_at(self.imaps, more)
    }

    /// The same through another port: a proxy.
    pub(crate) fn mailbox_at(&self, port: u16, more: &str) -> String {
        format!(
            "[[mailbox]]\nname = \"rua\"\nhost = \"localhost\"\nport = {port}\nca_file = {:?}\nuser = \"dmarc\"\n\
             password_env = \"TEST_PASSWORD\"\n{more}\n",
            self.ca()
        )
    }
}

impl Dovecot {
    /// Ends the server; its files stay.
    pub(crate) fn stop(&mut self) {
        // The master ends its children when it is asked to, not when it is killed.
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let end = Instant::now() + Duration::from_secs(10);
        while Instant::now() < end {
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Dovecot {
    fn drop(&mut self) {
        self.stop();
    }
}

fn config(base: &Path, imaps: u16, imap: u16, root: bool, more: &str) -> String {
    let base = base.display();
    let (uid, gid) = if root { (MAIL_USER, MAIL_USER) } else { ids() };
    let users = if root {
        String::new()
    } else {
        let me = command("id", &["-un"]);
        let group = command("id", &["-gn"]);
        format!("default_login_user = {me}\ndefault_internal_user = {me}\ndefault_internal_group = {group}\n")
    };
    format!(
        "base_dir = {base}/run\nstate_dir = {base}/run\nlog_path = {base}/dovecot.log\nprotocols = imap\nlisten = 127.0.0.1\n\
         ssl = yes\nssl_cert = <{base}/cert.pem\nssl_key = <{base}/key.pem\ndisable_plaintext_auth = yes\n\
         auth_mechanisms = plain login\nmail_location = maildir:{base}/mail/%u\nmail_uid = {uid}\nmail_gid = {gid}\n\
         first_valid_uid = {uid}\nfirst_valid_gid = {gid}\nmail_max_userip_connections = 50\nauth_failure_delay = 0\n{users}\
         service imap-login {{\n  inet_listener imap {{\n    port = {imap}\n  }}\n  inet_listener imaps {{\n    port = {imaps}\n    \
         ssl = yes\n  }}\n  chroot =\n}}\nservice stats {{\n  chroot =\n}}\nservice anvil {{\n  chroot =\n}}\n\
         passdb {{\n  driver = passwd-file\n  args = {base}/passwd\n}}\n\
         userdb {{\n  driver = static\n  args = uid={uid} gid={gid} home={base}/mail/%u\n}}\n\
         namespace inbox {{\n  inbox = yes\n  separator = /\n}}\n{more}\n"
    )
}

fn command(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn ids() -> (u32, u32) {
    (command("id", &["-u"]).parse().unwrap(), command("id", &["-g"]).parse().unwrap())
}

fn is_root() -> bool {
    ids().0 == 0
}

fn own(path: &Path) {
    if is_root() {
        let user = format!("{MAIL_USER}:{MAIL_USER}");
        assert!(Command::new("chown").args(["-R", &user]).arg(path).status().unwrap().success());
    }
}

#[cfg(unix)]
fn open_to_all(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

pub(crate) fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}

/// A CA, a certificate for `localhost` signed by it, and (for tests of refusals) a foreign CA, a certificate for another
/// name, and an expired one.
fn certificates(base: &Path) {
    let ca = authority("Test CA");
    fs::write(base.join("ca.pem"), &ca.0).unwrap();
    fs::write(base.join("ca-key.pem"), &ca.2).unwrap();
    fs::write(base.join("foreign-ca.pem"), authority("Foreign CA").0).unwrap();
    let (certificate, key) = leaf("localhost", &ca.1, None);
    fs::write(base.join("cert.pem"), certificate).unwrap();
    fs::write(base.join("key.pem"), key).unwrap();
    let (certificate, key) = leaf("mail.other.example", &ca.1, None);
    fs::write(base.join("other-cert.pem"), certificate).unwrap();
    fs::write(base.join("other-key.pem"), key).unwrap();
    let (certificate, key) = leaf("localhost", &ca.1, Some(2020));
    fs::write(base.join("old-cert.pem"), certificate).unwrap();
    fs::write(base.join("old-key.pem"), key).unwrap();
}

/// A CA's certificate, itself as an issuer, and its key.
fn authority(name: &str) -> (String, Issuer<'static, KeyPair>, String) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.subject_alt_names = vec![rcgen::SanType::DnsName("localhost".try_into().unwrap())];
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, name);
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    let secret = key.serialize_pem();
    (certificate.pem(), Issuer::new(params, key), secret)
}

fn leaf(name: &str, issuer: &Issuer<'static, KeyPair>, until: Option<i32>) -> (String, String) {
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    if let Some(year) = until {
        params.not_before = rcgen::date_time_ymd(year - 1, 1, 1);
        params.not_after = rcgen::date_time_ymd(year, 1, 1);
    }
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, issuer).unwrap();
    (certificate.pem(), key.serialize_pem())
}
