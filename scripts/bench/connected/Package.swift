// swift-tools-version: 6.1
import PackageDescription

// A package of its own, as a user's program is.
let package = Package(
    name: "connected",
    dependencies: [.package(name: "rabbitmq-swift", path: "../../..")],
    targets: [
        .executableTarget(
            name: "connected",
            dependencies: [.product(name: "RabbitMQ", package: "rabbitmq-swift")],
            path: ".",
            sources: ["main.swift"]
        )
    ],
    swiftLanguageModes: [.v6]
)
