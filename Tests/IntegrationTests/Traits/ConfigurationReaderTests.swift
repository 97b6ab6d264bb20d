#if ConfigurationSupport
import Configuration
import RabbitMQ
import Testing

@Suite("A configuration from swift-configuration")
struct ConfigurationReaderTests {
    private func read(_ values: [AbsoluteConfigKey: ConfigValue]) throws -> ConnectionConfiguration {
        let reader = ConfigReader(provider: InMemoryProvider(values: values))
        return try ConnectionConfiguration(reader: reader.scoped(to: "rabbitmq"))
    }

    @Test func `values come with the types that files give them`() throws {
        let configuration = try read([
            "rabbitmq.uri": "amqps://me:secret@host/orders",
            "rabbitmq.callTimeout": 5,
            "rabbitmq.heartbeat": 2.5,
            "rabbitmq.channelMax": 17,
            "rabbitmq.tls.caFile": "/ca.pem",
            "rabbitmq.tls.minimumVersion": "1.3",
            "rabbitmq.recovery.enabled": false,
            "rabbitmq.endpoints": ConfigValue(.stringArray(["a:1", "b"]), isSecret: false),
        ])
        #expect(configuration.virtualHost == "orders")
        #expect(configuration.callTimeout == .seconds(5))
        #expect(configuration.heartbeat == .milliseconds(2500))
        #expect(configuration.channelMax == 17)
        #expect(configuration.tls?.minimumVersion == .tls13)
        #expect(!configuration.recovery.isEnabled)
        #expect(configuration.endpoints.map(\.description) == ["a:1", "b"])
    }

    @Test func `environment variables have the names that are documented`() throws {
        let provider = EnvironmentVariablesProvider(environmentVariables: [
            "RABBITMQ_TLS_ENABLED": "true", "RABBITMQ_TLS_CA_FILE": "/ca.pem", "RABBITMQ_CALL_TIMEOUT": "5",
            "RABBITMQ_RECOVERY_RETRIES_FIRST_CONNECT": "true", "RABBITMQ_ENDPOINTS": "a:1,b",
        ])
        let reader = ConfigReader(provider: provider).scoped(to: "rabbitmq")
        let configuration = try ConnectionConfiguration(reader: reader)
        #expect(configuration.tls?.trustRoots.count == 1)
        #expect(configuration.callTimeout == .seconds(5))
        #expect(configuration.recovery.retriesFirstConnect)
        #expect(configuration.endpoints.map(\.description) == ["a:1", "b"])
    }

    @Test(arguments: ["a:1,b", "a:1, b ,"]) func `a list may be a text with commas`(text: String) throws {
        let file = try read(["rabbitmq.endpoints": ConfigValue(.string(text), isSecret: false)])
        #expect(file.endpoints.map(\.description) == ["a:1", "b"])
        let provider = EnvironmentVariablesProvider(environmentVariables: ["RABBITMQ_ENDPOINTS": text])
        let reader = ConfigReader(provider: provider).scoped(to: "rabbitmq")
        let variables = try ConnectionConfiguration(reader: reader)
        #expect(variables.endpoints.map(\.description) == ["a:1", "b"])
    }

    @Test(arguments: ["", ","]) func `a list in which nothing stands is as one that is not there`(text: String) throws {
        let provider = EnvironmentVariablesProvider(environmentVariables: ["RABBITMQ_ENDPOINTS": text])
        let reader = ConfigReader(provider: provider).scoped(to: "rabbitmq")
        let configuration = try ConnectionConfiguration(reader: reader)
        #expect(configuration.endpoints == ConnectionConfiguration().endpoints)
    }

    @Test(arguments: [ConfigContent.intArray([5672]), .doubleArray([56.72]), .boolArray([true])])
    func `a list of what is no text is not passed over`(list: ConfigContent) throws {
        for key in ["endpoints", "callTimeout", "uri"] {
            let error = try #require(throws: AMQPError.self) {
                try read([AbsoluteConfigKey(["rabbitmq", key]): ConfigValue(list, isSecret: false)])
            }
            #expect(error.code == .invalidArgument && error.message.hasPrefix("\(key) "), "\(error.message)")
        }
    }

    @Test func `a password that a file has as a number is taken only if its digits are certain`() throws {
        #expect(throws: Never.self) { try read(["rabbitmq.username": "me", "rabbitmq.password": 12345]) }
        let error = try #require(throws: AMQPError.self) { try read(["rabbitmq.password": 1e5]) }
        #expect(error.message.hasPrefix("password "), "\(error.message)")
        #expect(!error.message.contains("100000"), "\(error.message)")
    }

    @Test(arguments: [
        ("rabbitmq.callTimeout", "soon", "callTimeout"), ("rabbitmq.recovery.enabled", "maybe", "recovery.enabled"),
        ("rabbitmq.uri", "amqp://me:s3cret?@host", "uri"),
    ])
    func `errors name the key, and quote no secret`(key: String, value: String, name: String) throws {
        let error = try #require(throws: AMQPError.self) {
            try read([
                AbsoluteConfigKey(key.split(separator: ".").map(String.init)): ConfigValue(
                    .string(value),
                    isSecret: false
                )
            ])
        }
        #expect(error.message.hasPrefix(name), "\(error.message)")
        #expect(!error.message.contains("s3cret"))
    }
}
#endif
