// swift-tools-version: 6.1
import PackageDescription

let settings: [SwiftSetting] = [
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

/// Of a package that is used, and so cloned, only with a trait.
func product(_ name: String, _ package: String, with trait: String) -> Target.Dependency {
    .product(name: name, package: package, condition: .when(traits: [trait]))
}

let configuration = product("Configuration", "swift-configuration", with: "ConfigurationSupport")
let serviceLifecycle = product("ServiceLifecycle", "swift-service-lifecycle", with: "ServiceLifecycleSupport")
let unixSignals = product("UnixSignals", "swift-service-lifecycle", with: "ServiceLifecycleSupport")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")

let package = Package(
    name: "rabbitmq-swift",
    products: [
        .library(name: "RabbitMQ", targets: ["RabbitMQ"]),
        .library(name: "RabbitMQTesting", targets: ["RabbitMQTesting"]),
        .executable(name: "rmq", targets: ["rmq"]),
    ],
    traits: [
        // What only the tool needs is cloned and built only with it: who depends on the library gets none of that.
        .trait(name: "Tool", description: "The command-line tool rmq: swift build --traits Tool --product rmq"),
        .trait(
            name: "TextEncodings",
            description: "Text in rare encodings, such as Shift_JIS: with Foundation and its ICU, 54 MB"
        ),
        .trait(name: "ServiceLifecycleSupport", description: "Connections, consumers and RPC servers as services"),
        .trait(name: "MetricsSupport", description: "What a connection counts and times, to swift-metrics"),
        .trait(name: "DistributedTracingSupport", description: "Spans, and their context in the headers of messages"),
        .trait(name: "ConfigurationSupport", description: "ConnectionConfiguration from swift-configuration"),
        .default(enabledTraits: []),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.5.0"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.1.0"),
        .package(url: "https://github.com/apple/swift-configuration", from: "1.0.0"),
        .package(url: "https://github.com/apple/swift-distributed-tracing", from: "1.2.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.5.0"),
        .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift", from: "0.1.0"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.0.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.6.0"),
    ],
    targets: [
        .systemLibrary(
            name: "CRabbitMQ",
            pkgConfig: "librabbitmq",
            providers: [.apt(["librabbitmq-dev"])]
        ),
        .target(
            name: "RabbitMQ",
            dependencies: [
                "CRabbitMQ",
                .product(name: "DequeModule", package: "swift-collections"),
                logging,
                configuration,
                product("Metrics", "swift-metrics", with: "MetricsSupport"),
                serviceLifecycle,
                product("Tracing", "swift-distributed-tracing", with: "DistributedTracingSupport"),
            ],
            swiftSettings: settings
        ),
        .target(name: "RabbitMQTesting", dependencies: ["RabbitMQ"], swiftSettings: settings),
        .executableTarget(
            name: "rmq",
            dependencies: [
                "RabbitMQ",
                product("ArgumentParser", "swift-argument-parser", with: "Tool"),
                product("Histogram", "hdrhistogram-swift", with: "Tool"),
                logging,
                product("Yams", "Yams", with: "Tool"),
            ],
            swiftSettings: settings
        ),
        .target(
            name: "TestSupport",
            dependencies: ["RabbitMQ", logging],
            path: "Tests/TestSupport",
            swiftSettings: settings
        ),
        .target(name: "CAllocationCounter", path: "Tests/CAllocationCounter"),
        .executableTarget(
            name: "AllocationProbe",
            dependencies: ["CAllocationCounter", "RabbitMQ"],
            path: "Tests/AllocationProbe",
            swiftSettings: settings
        ),
        .target(name: "CCallCounter", path: "Tests/CCallCounter"),
        .executableTarget(
            name: "CallProbe",
            dependencies: ["CCallCounter", "RabbitMQ"],
            path: "Tests/CallProbe",
            swiftSettings: settings
        ),
        .executableTarget(
            name: "DescriptorProbe",
            dependencies: ["RabbitMQ"],
            path: "Tests/DescriptorProbe",
            swiftSettings: settings
        ),
        .executableTarget(
            name: "ChaosProbe",
            dependencies: ["RabbitMQ", logging],
            path: "Tests/ChaosProbe",
            swiftSettings: settings
        ),
        .executableTarget(
            name: "PartitionProbe",
            dependencies: ["RabbitMQ", logging],
            path: "Tests/PartitionProbe",
            swiftSettings: settings
        ),
        .executableTarget(
            name: "SessionFuzzer",
            dependencies: ["RabbitMQ", "TestSupport", logging],
            path: "Tests/SessionFuzzer",
            swiftSettings: settings
        ),
        .executableTarget(
            name: "SoakProbe",
            dependencies: ["RabbitMQ", "TestSupport", logging],
            path: "Tests/SoakProbe",
            swiftSettings: settings
        ),
        .executableTarget(
            name: "ServiceProbe",
            dependencies: ["RabbitMQ", logging, serviceLifecycle, unixSignals],
            path: "Tests/ServiceProbe",
            swiftSettings: settings
        ),
        .testTarget(
            name: "RabbitMQTests",
            dependencies: ["CRabbitMQ", "RabbitMQ", "TestSupport"],
            swiftSettings: settings
        ),
        .testTarget(
            name: "RabbitMQTestingTests",
            dependencies: ["RabbitMQ", "RabbitMQTesting", "TestSupport", logging],
            swiftSettings: settings
        ),
        .testTarget(
            name: "IntegrationTests",
            dependencies: [
                "RabbitMQ", "TestSupport",
                logging,
                configuration,
                product("InMemoryTracing", "swift-distributed-tracing", with: "DistributedTracingSupport"),
                product("MetricsTestKit", "swift-metrics", with: "MetricsSupport"),
                serviceLifecycle,
                unixSignals,
            ],
            swiftSettings: settings
        ),
    ],
    swiftLanguageModes: [.v6]
)
