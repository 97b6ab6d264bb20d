import Testing

@testable import RabbitMQ

@Suite("a configuration from the environment")
struct EnvironmentTests {
    @Test func `nothing set gives the defaults`() throws {
        let configuration = try ConnectionConfiguration(environment: ["PATH": "/bin", "RABBITMQ_URI": ""])
        #expect(configuration.endpoints == ConnectionConfiguration().endpoints)
        #expect(configuration.callTimeout == .seconds(30))
        #expect(configuration.tls == nil)
    }

    @Test func `the URI comes first, and what else is set wins over it`() throws {
        let configuration = try ConnectionConfiguration(environment: [
            "RABBITMQ_URI": "amqps://me:secret@first/orders?heartbeat=10",
            "RABBITMQ_ENDPOINTS": "second:5673, third,[::1]:5674",
            "RABBITMQ_HEARTBEAT": "2.5",
            "RABBITMQ_TLS_CA_FILE": "/ca.pem",
            "RABBITMQ_TLS_CERTIFICATE_FILE": "/me.pem",
            "RABBITMQ_TLS_KEY_FILE": "/me.key",
        ])
        #expect(configuration.endpoints.map(\.description) == ["second:5673", "third", "[::1]:5674"])
        #expect(configuration.virtualHost == "orders")
        #expect(configuration.heartbeat == .milliseconds(2500))
        #expect(configuration.tls?.trustRoots.map(\.description) == ["PEM(file: /ca.pem)"])
        let identity = try #require(configuration.tls?.identity)
        #expect(identity.description == "ClientIdentity(certificate: PEM(file: /me.pem), key: PEM(file: /me.key))")
    }

    @Test(arguments: [("plain", "PLAIN"), ("external", "EXTERNAL"), ("", "EXTERNAL")])
    func `the mechanism wins over the URI's`(mechanism: String, taken: String) throws {
        let configuration = try ConnectionConfiguration(environment: [
            "RABBITMQ_URI": "amqps://h?auth_mechanism=external", "RABBITMQ_MECHANISM": mechanism,
        ])
        #expect(configuration.credentials.mechanism == taken)
    }

    @Test(arguments: [",", " ", " , ,"]) func `a list in which nothing stands is as one that is not set`(
        text: String
    ) throws {
        let configuration = try ConnectionConfiguration(environment: ["RABBITMQ_ENDPOINTS": text])
        #expect(configuration.endpoints == ConnectionConfiguration().endpoints)
    }

    @Test func `blanks around words and commas too many do no harm`() throws {
        let configuration = try ConnectionConfiguration(environment: [
            "RABBITMQ_ENDPOINTS": " a:1 ,, b,", "RABBITMQ_RECOVERY_WHILE_DOWN": "fail ",
        ])
        #expect(configuration.endpoints.map(\.description) == ["a:1", "b"])
        #expect(configuration.recovery.whileDown == .fail)
    }

    @Test func `every field has a variable`() throws {
        let configuration = try ConnectionConfiguration(environment: [
            "RABBITMQ_USERNAME": "me", "RABBITMQ_PASSWORD": "secret", "RABBITMQ_VIRTUAL_HOST": "v",
            "RABBITMQ_ENDPOINT_ORDER": "shuffled", "RABBITMQ_CONNECTION_NAME": "n",
            "RABBITMQ_CONNECT_TIMEOUT": "1", "RABBITMQ_CALL_TIMEOUT": "2", "RABBITMQ_CLOSE_TIMEOUT": "3",
            "RABBITMQ_PUBLISH_TIMEOUT": "4", "RABBITMQ_SHUTDOWN_TIMEOUT": "5", "RABBITMQ_CONSUMER_TIMEOUT": "6",
            "RABBITMQ_CHANNEL_MAX": "7", "RABBITMQ_FRAME_MAX": "8192", "RABBITMQ_MAX_MESSAGE_SIZE": "9",
            "RABBITMQ_OUTBOUND_HIGH_WATER": "10", "RABBITMQ_INBOUND_HIGH_WATER": "11",
            "RABBITMQ_RECOVERY_ENABLED": "false", "RABBITMQ_RECOVERY_RETRIES_FIRST_CONNECT": "true",
            "RABBITMQ_RECOVERY_MAX_ATTEMPTS": "12", "RABBITMQ_RECOVERY_MAX_DURATION": "13",
            "RABBITMQ_RECOVERY_FIRST_DELAY": "14", "RABBITMQ_RECOVERY_BACK_OFF": "15",
            "RABBITMQ_RECOVERY_MAX_DELAY": "16", "RABBITMQ_RECOVERY_WHILE_DOWN": "fail",
            "RABBITMQ_RECOVERY_UNCONFIRMED": "resend",
            "RABBITMQ_TLS_ENABLED": "true", "RABBITMQ_TLS_CA_DIRECTORY": "/certs", "RABBITMQ_TLS_SERVER_NAME": "s",
            "RABBITMQ_TLS_VERIFICATION": "withoutName", "RABBITMQ_TLS_VERIFICATION_DEPTH": "3",
            "RABBITMQ_TLS_MINIMUM_VERSION": "1.3", "RABBITMQ_TLS_MAXIMUM_VERSION": "1.3",
        ])
        guard case .plain(let username, let password) = configuration.credentials.kind else {
            Issue.record("no user")
            return
        }
        #expect((username.value, password.value) == ("me", "secret"))
        #expect(configuration.virtualHost == "v")
        #expect(configuration.endpointOrder == .shuffled)
        #expect(configuration.connectionName == "n")
        let times = [
            configuration.connectTimeout, configuration.callTimeout, configuration.closeTimeout,
            configuration.publishTimeout, configuration.shutdownTimeout, configuration.consumerTimeout,
        ]
        #expect(times == (1...6).map { .seconds($0) })
        #expect(configuration.channelMax == 7)
        #expect(configuration.frameMax == 8192)
        #expect(
            [configuration.maxMessageSize, configuration.outboundHighWater, configuration.inboundHighWater] == [
                9, 10, 11,
            ]
        )
        let recovery = configuration.recovery
        #expect(!recovery.isEnabled && recovery.retriesFirstConnect)
        #expect(recovery.maxAttempts == 12)
        let delays = [recovery.maxDuration, recovery.firstDelay, recovery.backOff, recovery.maxDelay]
        #expect(delays == (13...16).map { .seconds($0) })
        #expect(recovery.whileDown == .fail && recovery.unconfirmed == .resend)
        let tls = try #require(configuration.tls)
        #expect(tls.trustRoots.map(\.description) == ["the directory /certs"])
        #expect(tls.serverName == "s" && tls.verification == .withoutName && tls.verificationDepth == 3)
        #expect(tls.minimumVersion == .tls13 && tls.maximumVersion == .tls13)
    }

    @Test(arguments: [
        (["RABBITMQ_CALL_TIMEOUT": "s3cret"], "RABBITMQ_CALL_TIMEOUT"),
        (["RABBITMQ_CALL_TIMEOUT": "-1"], "RABBITMQ_CALL_TIMEOUT"),
        (["RABBITMQ_CALL_TIMEOUT": "nan"], "RABBITMQ_CALL_TIMEOUT"),
        (["RABBITMQ_FRAME_MAX": "17"], "RABBITMQ_FRAME_MAX"),
        (["RABBITMQ_CHANNEL_MAX": "s3cret"], "RABBITMQ_CHANNEL_MAX"),
        (["RABBITMQ_RECOVERY_ENABLED": "s3cret"], "RABBITMQ_RECOVERY_ENABLED"),
        (["RABBITMQ_RECOVERY_WHILE_DOWN": "s3cret"], "RABBITMQ_RECOVERY_WHILE_DOWN"),
        (["RABBITMQ_ENDPOINTS": "me:s3cret@host"], "RABBITMQ_ENDPOINTS"),
        (["RABBITMQ_ENDPOINTS": "host:0"], "RABBITMQ_ENDPOINTS"),
        (["RABBITMQ_URI": "amqp://me:s3cret?@host"], "RABBITMQ_URI"),
        (["RABBITMQ_TLS_CA_FILE": "/s3cret"], "RABBITMQ_TLS_CA_FILE"),
        (["RABBITMQ_TLS_KEY_PASSPHRASE": "s3cret"], "RABBITMQ_TLS_KEY_PASSPHRASE"),
        (["RABBITMQ_TLS_ENABLED": "1", "RABBITMQ_TLS_KEY_PASSPHRASE": "s3cret"], "RABBITMQ_TLS_KEY_PASSPHRASE"),
    ])
    func `what is wrong is named by its variable, and not quoted`(environment: [String: String], name: String) throws {
        let error = try #require(throws: AMQPError.self) { try ConnectionConfiguration(environment: environment) }
        #expect(error.message.hasPrefix(name), "\(error.message)")
        #expect(!error.description.contains("s3cret"), "\(error.message)")
    }
}
