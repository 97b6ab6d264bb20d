import Foundation
import Testing

@testable import RabbitMQ

@Suite("AMQP URIs")
struct URITests {
    /// What the specification's table gives for the parts; nil where the part is missing.
    struct Parts: Sendable {
        var uri: String
        var user: String?
        var password: String?
        var host: String?
        var port: Int?
        var virtualHost: String?

        init(_ uri: String, _ user: String?, _ password: String?, _ host: String?, _ port: Int?, _ virtualHost: String?)
        {
            self.uri = uri
            self.user = user
            self.password = password
            self.host = host
            self.port = port
            self.virtualHost = virtualHost
        }
    }

    @Test(
        "are read as the specification's examples say",
        arguments: [
            Parts("amqp://user:pass@host:10000/vhost", "user", "pass", "host", 10000, "vhost"),
            Parts("amqp://user%61:%61pass@ho%61st:10000/v%2fhost", "usera", "apass", "hoast", 10000, "v/host"),
            Parts("amqp://", nil, nil, nil, nil, nil),
            Parts("amqp://:@/", "", "", nil, nil, ""),
            Parts("amqp://user@", "user", nil, nil, nil, nil),
            Parts("amqp://user:pass@", "user", "pass", nil, nil, nil),
            Parts("amqp://host", nil, nil, "host", nil, nil),
            Parts("amqp://:10000", nil, nil, nil, 10000, nil),
            Parts("amqp:///vhost", nil, nil, nil, nil, "vhost"),
            Parts("amqp://host/", nil, nil, "host", nil, ""),
            Parts("amqp://host/%2f", nil, nil, "host", nil, "/"),
            Parts("amqp://[::1]", nil, nil, "::1", nil, nil),
            // Not in the table.
            Parts("AMQP://host:/%2F", nil, nil, "host", nil, "/"),
            Parts("amqps://[2001:db8::7]:5671/v", nil, nil, "2001:db8::7", 5671, "v"),
            Parts("amqp://[fe80::1%25eth0]/", nil, nil, "fe80::1%eth0", nil, ""),
            Parts("amqp://a%40b:p%3a%2f%3f%23%25@h", "a@b", "p:/?#%", "h", nil, nil),
            Parts("amqp://%C3%BC:%F0%9F%90%87@h/%C3%A9", "ü", "🐇", "h", nil, "é"),
            Parts("amqp://u-._~!$&'()*+,;=:p@h/a:b@c", "u-._~!$&'()*+,;=", "p", "h", nil, "a:b@c"),
            Parts("amqp://host?heartbeat=1", nil, nil, "host", nil, nil),
            Parts("amqp://host/?heartbeat=1", nil, nil, "host", nil, ""),
            Parts("amqp://host/?", nil, nil, "host", nil, ""),
        ]
    )
    func parts(_ expected: Parts) throws {
        let read = try URIReader(expected.uri)
        #expect(read.username == expected.user)
        #expect(read.password == expected.password)
        #expect(read.host == expected.host)
        #expect(read.port == expected.port)
        #expect(read.virtualHost == expected.virtualHost)
        // As long as a password is there to be looked at, it is the right one.
        let configuration = try ConnectionConfiguration(uri: expected.uri)
        guard case .plain(let username, let password) = configuration.credentials.kind else {
            Issue.record("not PLAIN")
            return
        }
        #expect(username.value == expected.user ?? "guest")
        #expect(password.value == expected.password ?? "guest")
    }

    @Test("of the README lead to the virtual host that every broker has")
    func readme() throws {
        var root = URL(filePath: #filePath)
        for _ in 0..<4 { root.deleteLastPathComponent() }
        let text = try String(contentsOf: root.appending(path: "README.md"), encoding: .utf8)
        let uris = text.matches(of: #/uri: "([^"]+)"/#).map { String($0.output.1) }
        #expect(!uris.isEmpty)
        for uri in uris { #expect(try ConnectionConfiguration(uri: uri).virtualHost == "/", "\(uri)") }
    }

    @Test("give what is missing its default")
    func defaults() throws {
        let plain = try ConnectionConfiguration(uri: "amqp://")
        #expect(plain.host == "localhost")
        #expect(plain.port == 5672)
        #expect(plain.virtualHost == "/")
        #expect(plain.tls == nil)
        let encrypted = try ConnectionConfiguration(uri: "amqps://")
        #expect(encrypted.port == 5671)
        #expect(encrypted.tls?.verification == .full)
        #expect(encrypted.tls?.minimumVersion == .tls12)
    }

    @Test("set options")
    func options() throws {
        let configuration = try ConnectionConfiguration(
            uri:
                "amqps://h/v?heartbeat=7&connection_timeout=1500&channel_max=12&frame_max=8192&connection_name=my%20app"
                + "&cacertfile=/etc/ca%2Bmore.pem&certfile=c.pem&keyfile=k.pem&password=p%26w&verify=verify_peer"
                + "&server_name_indication=other.example&fail_if_no_peer_cert=true&auth_mechanism=external&depth=2"
        )
        #expect(configuration.heartbeat == .seconds(7))
        #expect(configuration.connectTimeout == .milliseconds(1500))
        #expect(configuration.channelMax == 12)
        #expect(configuration.frameMax == 8192)
        #expect(configuration.connectionName == "my app")
        #expect(configuration.credentials.mechanism == "EXTERNAL")
        let tls = try #require(configuration.tls)
        #expect(tls.trustRoots.map(\.description) == ["PEM(file: /etc/ca+more.pem)"])
        #expect(tls.identity?.certificate.description == "PEM(file: c.pem)")
        #expect(tls.identity?.key.description == "PEM(file: k.pem)")
        #expect(tls.identity?.passphrase?.value == "p&w")
        #expect(tls.serverName == "other.example")
        #expect(tls.verification == .full)
        #expect(tls.verificationDepth == 2)
    }

    @Test(
        "may name several mechanisms, of which the first that the library has counts",
        arguments: [
            ("plain", "PLAIN"), ("external", "EXTERNAL"), ("plain&external", "PLAIN"), ("external&plain", "EXTERNAL"),
            ("amqplain&external", "EXTERNAL"), ("AMQPLAIN&PLAIN", "PLAIN"), ("plain&amqplain", "PLAIN"),
        ]
    )
    func mechanisms(values: String, taken: String) throws {
        let query = values.split(separator: "&").map { "auth_mechanism=\($0)" }.joined(separator: "&")
        #expect(try ConnectionConfiguration(uri: "amqps://h?\(query)").credentials.mechanism == taken)
    }

    @Test("turn verification off only when told so in full")
    func verifyNone() throws {
        #expect(try ConnectionConfiguration(uri: "amqps://h?verify=verify_none").tls?.verification == TLSVerify.none)
        for uri in ["amqps://h?verify=", "amqps://h?verify=none", "amqps://h?verify=VERIFY_NONE", "amqps://h?verify"] {
            #expect(throws: AMQPError.self) { try ConnectionConfiguration(uri: uri) }
        }
    }

    private typealias TLSVerify = ConnectionConfiguration.TLS.Verification

    /// The URI, a piece of the message, and the character that it names.
    static let bad: [(String, String, Int)] = [
        ("", "neither", 1),
        ("amqp:/host", "neither", 1),
        ("http://host", "neither", 1),
        (" amqp://host", "neither", 1),
        ("amqp://host:0", "1 to 65535", 13),
        ("amqp://host:65536", "1 to 65535", 13),
        ("amqp://host: 5672", "port is not a number", 13),
        ("amqp://host:+5672", "port is not a number", 13),
        ("amqp://host:99999999999999999999999", "1 to 65535", 13),
        ("amqp://::1", "port is not a number", 9),
        ("amqp://[::1", "no ']'", 8),
        ("amqp://[::1]5672", "no ':'", 13),
        ("amqp://[localhost]", "no IPv6 address", 9),
        ("amqp://[127.0.0.1]", "no IPv6 address", 9),
        ("amqp://ho st", "the host holds a character", 10),
        ("amqp://höst", "the host holds a character", 9),
        ("amqp://%00", "NUL", 8),
        ("amqp://ho%st", "hexadecimal", 10),
        ("amqp://ho%4", "hexadecimal", 10),
        ("amqp://h/%ff", "not UTF-8", 10),
        ("amqp://h/a/b", "'/'", 11),
        ("amqp://h/a#b", "fragment", 11),
        ("amqp://h#", "fragment", 9),
        ("amqp://h/" + String(repeating: "v", count: 256), "255", 10),
        ("amqp://h?heartbeat", "no '='", 10),
        ("amqp://h?heartbeat=", "heartbeat is not a number", 10),
        ("amqp://h?heartbeat=-1", "heartbeat is not a number", 10),
        ("amqp://h?heartbeat=+1", "heartbeat is not a number", 10),
        ("amqp://h?heartbeat=65536", "heartbeat is not a number", 10),
        ("amqp://h?connection_timeout=0", "connection_timeout is not a number", 10),
        ("amqp://h?heartbeat=1&frame_max=4095", "frame_max is not a number", 22),
        ("amqp://h?channel_max=65536", "channel_max", 10),
        ("amqp://h?heartbeat=1&heartbeat=1", "twice", 22),
        ("amqp://h?nonsense=1", "not known", 10),
        ("amqp://h?auth_mechanism=GSSAPI", "auth_mechanism", 10),
        ("amqp://h?auth_mechanism=amqplain", "auth_mechanism", 10),
        ("amqp://h?auth_mechanism=plain&auth_mechanism=x", "auth_mechanism", 31),
        ("amqp://h?heartbeat=1&heartbeat=1", "twice", 22),
        ("amqp://h?verify=verify_peer", "amqps", 10),
        ("amqp://h?depth=1", "amqps", 10),
        ("amqps://h?depth=256", "0 to 255", 11),
        ("amqp://h?cacertfile=x", "amqps", 10),
        ("amqps://h?cacertfile=", "cacertfile is empty", 11),
        ("amqps://h?keyfile=x", "certfile", 11),
        ("amqps://h?server_name_indication=disable", "needs a name", 11),
        ("amqps://h?fail_if_no_peer_cert=1", "neither true nor false", 11),
    ]

    @Test("that are bad say what is bad and where", arguments: bad)
    func badOnes(uri: String, what: String, character: Int) {
        let error = #expect(throws: AMQPError.self) { try ConnectionConfiguration(uri: uri) }
        #expect(error?.code == .invalidURI)
        #expect(error?.message.contains(what) == true, "\(error?.message ?? "")")
        #expect(error?.message.contains("(at character \(character) of the URI)") == true, "\(error?.message ?? "")")
    }

    /// The URI, and what its error says of how to mend it.
    static let cures: [(String, String)] = [
        ("amqp://u:pa#ss@h", "a '#' stands before the '@'; in a user name or password write %23"),
        ("amqp://u:pa?ss@h", "write %3F"), ("amqp://u:pa/ss@h", "write %2F"), ("amqp://u:12?ss@h", "write %3F"),
        ("amqp://u:12#ss@h", "write %23"), ("amqp://u:12/3/4@h", "%2f"), ("amqp://u#x:p@h", "write %23"),
        ("amqp://u:p@ss@h", "write %40"), ("amqp://u:pa%ss@h", "the sign itself is written %25"),
        ("amqp://u:p:q@h", "a ':' is written %3A"), ("amqp://u:p q@h", "a space is written %20"),
        ("amqp://u:p[q@h", "a '[' is written %5B"), ("amqp://u:p@h\n", "a line feed is written %0A"),
        ("amqp://u:p@a:1,b:2/v", "several hosts go to the configuration's `endpoints`"),
        ("amqp://a,b", "`endpoints`"), ("amqp://a;b", "`endpoints`"), ("amqp://u:p@a,u:p@b", "`endpoints`"),
        ("amqp://a,amqp://b", "`endpoints`"), ("amqp://[::1],[::2]:7", "`endpoints`"),
        ("amqp://::1", "as in [::1]"), ("amqp://2001:db8::7:5672/", "as in [::1]"), ("amqp://h:abc", "behind the ':'"),
        ("amqp://h:5672\n", "there is a line feed in it"), ("amqp://h: 5672", "there is a space in it"),
        ("amqp://h?nonsense=1", "the option nonsense is not known; known are heartbeat, "),
        ("amqp://u:p@h?heartBeat=1", "the option heartBeat is not known"),
        ("amqp://h?connection_name=a@b&x=1", "the option x is not known"),
        ("amqp://h?heartbeat", "the option heartbeat has no '='"),
        ("amqp://h?connection_name=a@b&heartbeat", "the option heartbeat has no '='"),
        ("amqp://h?heartbeat=1&heartbeat=2", "the option heartbeat stands there twice"),
        ("amqp://h?heartbeat=1?frame_max=8192", "separated by '&'"),
        ("amqp://user:12?key=rest@host", "an option is not known; known are heartbeat, "),
        ("amqp://user:12?key=rest@host", "in a user name or password a '?' is written %3F"),
        ("", "it is empty"), ("h:5672", "put one of them before it"), ("u:p@h", "put one of them before it"),
        ("http://h:15672", "but with http://"), ("mqtt://h", "but with mqtt://"), (" amqp://h", "white space"),
    ]

    @Test("that are bad say what to write instead", arguments: cures)
    func cured(uri: String, cure: String) {
        let error = #expect(throws: AMQPError.self) { try ConnectionConfiguration(uri: uri) }
        #expect(error?.code == .invalidURI)
        #expect(error?.message.contains(cure) == true, "\(error?.message ?? "")")
    }

    /// Each hides the word `hunter2`, wherever a password that was not encoded may shift it to.
    @Test(
        "that are bad never show the password",
        arguments: [
            "amqp://u:hunter2@h:x", "amqp://u:hunter2@h@i", "amqp://u:hunter2:x@h", "amqp://u:hun%ter2@h",
            "amqp://u:hunter2/x@h", "amqp://u:hunter2?x@h", "amqp://u:hunter2?hunter2=x@h", "amqp://u:hunter2#x@h",
            "amqp://u:hunter2%00@h", "amqp://u:hunter2 @h", "amqp://u:hunter2%ff@h", "hunter2", "amqp:u:hunter2@h",
            "amqp://u:hunter2@h?hunter2=1", "amqp://u:12?hunter2@h", "amqps://u:hunter2@h?verify=hunter2",
            "amqp://u:hunter2@a,b", "amqp://u:hunter2@a,u:hunter2@b", "amqp://u:hunter2,x@y@h", "hunter2://u@h",
            "amqp://u:hunter2@h?hunter2", "amqp://u:hunter2@h?x=1&hunter2=1&hunter2=1", "amqp://hunter2@h?hunter2=1",
            "amqp://u:hunter2@h?hunt=1&hunt=1&hunter2", "amqp://u:hunter2@h/v?xhunter2x=1",
            "amqps://h?password=hunter2", "amqps://h?password=hunter2&password=hunter2", "amqp://[hunter2]",
            "amqp://user:12?hunter2=rest@host", "amqp://abc?hunter2=ghi@host", "amqp://u:12/aa?hunter2&cc=@host",
            "amqp://abc?hunter2=1&hunter2=2@host", "amqp://u:12?heartbeat=1&hunter2=x@host",
            "amqp://u:a@b?hunter2=c@host", "amqp://abc/d?hunter2=1#@host", "amqp://abc?hunter2&x@host",
        ]
    )
    func noPassword(uri: String) {
        let error = #expect(throws: AMQPError.self) { try ConnectionConfiguration(uri: uri) }
        for text in [error.map { "\($0)" }, error.map { String(reflecting: $0) }, error?.message] {
            #expect(text?.contains("hunter2") == false, "\(text ?? "nil")")
        }
    }

    @Test("cut or changed anywhere are read or refused, and never trap")
    func mutations() {
        let uri = Array("amqps://us%65r:p%40ss@[::1]:5671/v%2fh?heartbeat=10&verify=verify_peer&name=x".utf8)
        for index in uri.indices {
            for byte in [UInt8(0), 9, 32, 35, 37, 38, 47, 58, 61, 63, 64, 91, 93, 0x7F, 0xFF] {
                var changed = uri
                changed[index] = byte
                tryReading(changed)
            }
            tryReading(Array(uri[..<index]))
            tryReading(Array(uri[index...]))
        }
    }

    private func tryReading(_ bytes: [UInt8]) {
        do throws(AMQPError) {
            _ = try ConnectionConfiguration(uri: String(decoding: bytes, as: UTF8.self))
        } catch {
            #expect(error.code == .invalidURI)
        }
    }
}
