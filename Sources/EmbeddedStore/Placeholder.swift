enum EmbeddedStorePlaceholder {}
