"""File systems that functions have mounted: FileSystemConfigs."""
