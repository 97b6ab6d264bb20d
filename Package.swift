// swift-tools-version: 6.1
import PackageDescription

let settings: [SwiftSetting] = [
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

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
            description: "Text in rare encodings, such as Shift_JIS: with Foundation and its ICU, 41 MB"
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
                .product(name: "Logging", package: "swift-log"),
                .product(
                    name: "Configuration",
                    package: "swift-configuration",
                    condition: .when(traits: ["ConfigurationSupport"])
                ),
                .product(name: "Metrics", package: "swift-metrics", condition: .when(traits: ["MetricsSupport"])),
                .product(
                    name: "ServiceLifecycle",
                    package: "swift-service-lifecycle",
                    condition: .when(traits: ["ServiceLifecycleSupport"])
                ),
                .product(
                    name: "Tracing",
                    package: "swift-distributed-tracing",
                    condition: .when(traits: ["DistributedTracingSupport"])
                ),
            ],
            swiftSettings: settings
        ),
        .target(name: "RabbitMQTesting", dependencies: ["RabbitMQ"], swiftSettings: settings),
        .executableTarget(
            name: "rmq",
            dependencies: [
                "RabbitMQ",
                .product(
                    name: "ArgumentParser",
                    package: "swift-argument-parser",
                    condition: .when(traits: ["Tool"])
                ),
                .product(name: "Histogram", package: "hdrhistogram-swift", condition: .when(traits: ["Tool"])),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Yams", package: "Yams", condition: .when(traits: ["Tool"])),
            ],
            swiftSettings: settings
        ),
        .target(
            name: "TestSupport",
            dependencies: ["RabbitMQ", .product(name: "Logging", package: "swift-log")],
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
        .executableTarget(
            name: "DescriptorProbe",
            dependencies: ["RabbitMQ"],
            path: "Tests/DescriptorProbe",
            swiftSettings: settings
        ),
        .executableTarget(
            name: "ChaosProbe",
            dependencies: ["RabbitMQ", .product(name: "Logging", package: "swift-log")],
            path: "Tests/ChaosProbe",
            swiftSettings: settings
        ),
        .executableTarget(
            name: "SessionFuzzer",
            dependencies: ["RabbitMQ", "TestSupport", .product(name: "Logging", package: "swift-log")],
            path: "Tests/SessionFuzzer",
            swiftSettings: settings
        ),
        .executableTarget(
            name: "SoakProbe",
            dependencies: ["RabbitMQ", "TestSupport", .product(name: "Logging", package: "swift-log")],
            path: "Tests/SoakProbe",
            swiftSettings: settings
        ),
        .executableTarget(
            name: "ServiceProbe",
            dependencies: [
                "RabbitMQ",
                .product(name: "Logging", package: "swift-log"),
                .product(
                    name: "ServiceLifecycle",
                    package: "swift-service-lifecycle",
                    condition: .when(traits: ["ServiceLifecycleSupport"])
                ),
                .product(
                    name: "UnixSignals",
                    package: "swift-service-lifecycle",
                    condition: .when(traits: ["ServiceLifecycleSupport"])
                ),
            ],
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
            dependencies: [
                "RabbitMQ", "RabbitMQTesting", "TestSupport", .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: settings
        ),
        .testTarget(
            name: "IntegrationTests",
            dependencies: [
                "RabbitMQ", "TestSupport",
                .product(name: "Logging", package: "swift-log"),
                .product(
                    name: "Configuration",
                    package: "swift-configuration",
                    condition: .when(traits: ["ConfigurationSupport"])
                ),
                .product(
                    name: "InMemoryTracing",
                    package: "swift-distributed-tracing",
                    condition: .when(traits: ["DistributedTracingSupport"])
                ),
                .product(
                    name: "MetricsTestKit",
                    package: "swift-metrics",
                    condition: .when(traits: ["MetricsSupport"])
                ),
                .product(
                    name: "ServiceLifecycle",
                    package: "swift-service-lifecycle",
                    condition: .when(traits: ["ServiceLifecycleSupport"])
                ),
                .product(
                    name: "UnixSignals",
                    package: "swift-service-lifecycle",
                    condition: .when(traits: ["ServiceLifecycleSupport"])
                ),
            ],
            swiftSettings: settings
        ),
    ],
    swiftLanguageModes: [.v6]
)
