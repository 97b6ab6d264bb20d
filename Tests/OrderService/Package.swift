// swift-tools-version: 6.2
import PackageDescription

// A service as one would write it: a package of its own, so that nobody who uses the library clones what it needs.
let package = Package(
    name: "OrderService",
    platforms: [.macOS(.v15)],
    dependencies: [
        .package(
            name: "rabbitmq-swift",
            path: "../..",
            traits: [
                "ConfigurationSupport", "DistributedTracingSupport", "MetricsSupport", "ServiceLifecycleSupport",
            ]
        ),
        .package(url: "https://github.com/apple/swift-configuration", from: "1.0.0"),
        .package(url: "https://github.com/apple/swift-distributed-tracing", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.5.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.10.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.6.0"),
    ],
    targets: [
        .target(
            name: "Ordering",
            dependencies: [.product(name: "RabbitMQ", package: "rabbitmq-swift")]
        ),
        .executableTarget(
            name: "OrderService",
            dependencies: [
                "Ordering",
                .product(name: "Configuration", package: "swift-configuration"),
                .product(name: "CoreMetrics", package: "swift-metrics"),
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "InMemoryTracing", package: "swift-distributed-tracing"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "RabbitMQ", package: "rabbitmq-swift"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "Tracing", package: "swift-distributed-tracing"),
            ]
        ),
        .testTarget(
            name: "OrderingTests",
            dependencies: [
                "Ordering",
                .product(name: "RabbitMQ", package: "rabbitmq-swift"),
                .product(name: "RabbitMQTesting", package: "rabbitmq-swift"),
            ]
        ),
    ],
    swiftLanguageModes: [.v6]
)
