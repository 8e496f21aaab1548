extension OpenAPIDocument {
    /// The messages about artifacts.
    static let artifactSchemas = #"""
              "ArtifactManifest": {
                "type": "object",
                "description": "An image manifest of OCI 1.1. An artifact has artifactType application/vnd.larder.artifact.v1 and a layer for each file (title: its path), or for a whole folder a layer application/vnd.oci.image.layer.v1.tar+gzip (title: the folder; io.deis.oras.content.unpack: true; io.deis.oras.content.digest: the SHA-256 of the tar). Its annotations are labels. Its configuration is the JSON {\"modes\":{PATH:\"755\"},\"links\":[ArtifactLink],\"folders\":[ArtifactFolder],\"bundles\":{FOLDER:{\"fileCount\":N,\"byteCount\":N}}}: modes of files other than 644, symbolic links, folders that are empty or whose mode is not 755, and how much is in folders that are one layer; members without content are left out. Reports are a manifest of their own with artifactType application/vnd.larder.reports.v1, the artifact as its subject, a layer for each file of a report (dev.larder.report.group, dev.larder.report.format), and a configuration application/vnd.larder.reports.config.v1+json with the JSON {\"reports\":[ArtifactReport]}.",
                "properties": {
                  "schemaVersion": {"type": "integer", "const": 2},
                  "mediaType": {"type": "string"},
                  "artifactType": {"type": "string"},
                  "config": {"$ref": "#/components/schemas/ArtifactDescriptor"},
                  "layers": {"type": "array", "items": {"$ref": "#/components/schemas/ArtifactDescriptor"}},
                  "subject": {"$ref": "#/components/schemas/ArtifactDescriptor"},
                  "annotations": {"type": "object", "additionalProperties": {"type": "string"}}
                },
                "required": ["schemaVersion", "mediaType", "config", "layers"],
                "examples": [
                  {
                    "schemaVersion": 2,
                    "mediaType": "application/vnd.oci.image.manifest.v1+json",
                    "artifactType": "application/vnd.larder.artifact.v1",
                    "config": {
                      "mediaType": "application/vnd.larder.artifact.config.v1+json",
                      "digest": "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
                      "size": 2
                    },
                    "layers": [
                      {
                        "mediaType": "application/octet-stream",
                        "digest": "sha256:4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945",
                        "size": 2,
                        "annotations": {"org.opencontainers.image.title": "dist/app.js"}
                      }
                    ],
                    "annotations": {
                      "org.opencontainers.image.revision": "4f0c1a7",
                      "dev.larder.branch": "main",
                      "dev.larder.ci": "github"
                    }
                  }
                ]
              },
              "ArtifactDescriptor": {
                "type": "object",
                "properties": {
                  "mediaType": {"type": "string"},
                  "digest": {"type": "string"},
                  "size": {"type": "integer"},
                  "annotations": {"type": "object", "additionalProperties": {"type": "string"}}
                },
                "required": ["mediaType", "digest", "size"],
                "examples": [
                  {
                    "mediaType": "application/octet-stream",
                    "digest": "sha256:4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945",
                    "size": 2,
                    "annotations": {"org.opencontainers.image.title": "dist/app.js"}
                  }
                ]
              },
              "ArtifactTags": {
                "type": "object",
                "properties": {
                  "digest": {"type": "string", "description": "Of the version."},
                  "tags": {"type": "array", "items": {"type": "string"}, "description": "All that it has now."}
                },
                "required": ["digest", "tags"],
                "examples": [
                  {
                    "digest": "sha256:9b74c9897bac770ffc029102a200c5de0a4e3f0f6b5f1c2d3e4f5a6b7c8d9e0f",
                    "tags": ["1.4", "latest"]
                  }
                ]
              },
              "ArtifactList": {
                "type": "object",
                "properties": {
                  "versions": {"type": "array", "items": {"$ref": "#/components/schemas/ArtifactVersion"}},
                  "next": {
                    "type": "string",
                    "description": "To be asked for with after, also when there are fewer versions than limit says; absent: this is the end."
                  }
                },
                "required": ["versions"],
                "examples": [{"versions": [], "next": "5120"}]
              },
              "ArtifactVersion": {
                "type": "object",
                "description": "In lists without files and all that follows them here.",
                "properties": {
                  "repository": {"type": "string"},
                  "digest": {"type": "string", "description": "Of its manifest."},
                  "tags": {"type": "array", "items": {"type": "string"}},
                  "pushedAt": {"type": "string", "format": "date-time"},
                  "size": {"type": "integer", "description": "Of all layers as they are stored."},
                  "fileCount": {"type": "integer", "description": "Those in bundles are counted as well."},
                  "artifactType": {"type": "string"},
                  "labels": {
                    "type": "object",
                    "additionalProperties": {"type": "string"},
                    "description": "The annotations of its manifest: labels, and where it comes from."
                  },
                  "files": {"type": "array", "items": {"$ref": "#/components/schemas/ArtifactFile"}},
                  "links": {"type": "array", "items": {"$ref": "#/components/schemas/ArtifactLink"}},
                  "folders": {
                    "type": "array",
                    "items": {"$ref": "#/components/schemas/ArtifactFolder"},
                    "description": "Those that are empty or whose mode is not 755."
                  },
                  "bundles": {
                    "type": "array",
                    "items": {"$ref": "#/components/schemas/ArtifactBundle"},
                    "description": "Folders that are kept as one archive each."
                  },
                  "reports": {"type": "array", "items": {"$ref": "#/components/schemas/ArtifactReport"}}
                },
                "required": ["repository", "digest", "tags", "pushedAt", "size", "fileCount", "labels"],
                "examples": [
                  {
                    "repository": "team/app",
                    "digest": "sha256:9b74c9897bac770ffc029102a200c5de0a4e3f0f6b5f1c2d3e4f5a6b7c8d9e0f",
                    "tags": ["1.4", "latest"],
                    "pushedAt": "2026-11-24T12:00:00Z",
                    "size": 48213,
                    "fileCount": 5001,
                    "artifactType": "application/vnd.larder.artifact.v1",
                    "labels": {"org.opencontainers.image.revision": "4f0c1a7", "dev.larder.branch": "main"},
                    "files": [
                      {
                        "path": "bin/tool",
                        "size": 2,
                        "mode": "755",
                        "digest": "sha256:4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945"
                      }
                    ],
                    "links": [{"path": "bin/t", "target": "tool"}],
                    "folders": [{"path": "logs", "mode": "755"}],
                    "bundles": [
                      {
                        "path": "docs",
                        "digest": "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
                        "size": 48211,
                        "fileCount": 5000,
                        "byteCount": 1048576
                      }
                    ],
                    "reports": [
                      {
                        "group": "unit",
                        "format": "JUNITXML",
                        "tests": 120,
                        "failures": 0,
                        "errors": 0,
                        "skipped": 2,
                        "seconds": 12.5,
                        "files": [
                          {
                            "path": "reports/junit.xml",
                            "digest": "sha256:4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945",
                            "size": 2
                          }
                        ]
                      }
                    ]
                  }
                ]
              },
              "ArtifactFile": {
                "type": "object",
                "description": "Its bytes are at /artifacts/NAME/file, and at /v2/NAME/blobs/DIGEST of the server.",
                "properties": {
                  "path": {"type": "string"},
                  "size": {"type": "integer"},
                  "mode": {"type": "string", "description": "Permission bits in octal digits."},
                  "digest": {"type": "string"}
                },
                "required": ["path", "size", "mode", "digest"],
                "examples": [
                  {
                    "path": "bin/tool",
                    "size": 2,
                    "mode": "755",
                    "digest": "sha256:4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945"
                  }
                ]
              },
              "ArtifactLink": {
                "type": "object",
                "description": "A symbolic link.",
                "properties": {"path": {"type": "string"}, "target": {"type": "string"}},
                "required": ["path", "target"],
                "examples": [{"path": "bin/t", "target": "tool"}]
              },
              "ArtifactFolder": {
                "type": "object",
                "properties": {
                  "path": {"type": "string"},
                  "mode": {"type": "string", "description": "Permission bits in octal digits."}
                },
                "required": ["path", "mode"],
                "examples": [{"path": "logs", "mode": "755"}]
              },
              "ArtifactBundle": {
                "type": "object",
                "description": "A folder that is kept as one archive, a tar in gzip whose members are called as the folder and what is in it.",
                "properties": {
                  "path": {"type": "string", "description": "Of the folder."},
                  "digest": {"type": "string", "description": "Of the compressed archive."},
                  "size": {"type": "integer", "description": "Of the compressed archive."},
                  "fileCount": {"type": "integer"},
                  "byteCount": {"type": "integer", "description": "Of the files in it."}
                },
                "required": ["path", "digest", "size", "fileCount", "byteCount"],
                "examples": [
                  {
                    "path": "docs",
                    "digest": "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
                    "size": 48211,
                    "fileCount": 5000,
                    "byteCount": 1048576
                  }
                ]
              },
              "ArtifactReport": {
                "type": "object",
                "description": "The totals of one group of reports; which are there depends on the format.",
                "properties": {
                  "group": {"type": "string"},
                  "format": {"type": "string", "description": "As a buildspec names it: JUNITXML, CLOVERXML and so on."},
                  "tests": {"type": "integer"},
                  "failures": {"type": "integer"},
                  "errors": {"type": "integer"},
                  "skipped": {"type": "integer"},
                  "seconds": {"type": "number"},
                  "statements": {"type": "integer"},
                  "coveredStatements": {"type": "integer"},
                  "conditionals": {"type": "integer"},
                  "coveredConditionals": {"type": "integer"},
                  "methods": {"type": "integer"},
                  "coveredMethods": {"type": "integer"},
                  "elements": {"type": "integer"},
                  "coveredElements": {"type": "integer"},
                  "lines": {"type": "integer"},
                  "coveredLines": {"type": "integer"},
                  "branches": {"type": "integer"},
                  "coveredBranches": {"type": "integer"},
                  "files": {"type": "array", "items": {"$ref": "#/components/schemas/ArtifactReportFile"}}
                },
                "required": ["group", "format", "files"],
                "examples": [{"group": "coverage", "format": "CLOVERXML", "elements": 900, "coveredElements": 810, "files": []}]
              },
              "ArtifactReportFile": {
                "type": "object",
                "properties": {
                  "path": {"type": "string"},
                  "digest": {"type": "string"},
                  "size": {"type": "integer"}
                },
                "required": ["path", "digest", "size"],
                "examples": [
                  {
                    "path": "reports/junit.xml",
                    "digest": "sha256:4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945",
                    "size": 2
                  }
                ]
              }
        """#
}
