package io.github.kdtf.books;

import static org.junit.Assert.assertTrue;

import io.github.kdtf.books.engine.BundleFiles;
import io.github.kdtf.books.engine.FolderBundle;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.security.MessageDigest;
import org.json.JSONArray;
import org.json.JSONObject;

/** A copy of a bundle that a test may change. */
final class BundleFolder {
    /** The files of a ranker. */
    static final String[] RANKER = {BundleFiles.MODEL, BundleFiles.FEATURES, BundleFiles.ITEMS,
        BundleFiles.SOURCES, BundleFiles.CONFIG, BundleFiles.MODEL_CARD};

    final File folder;

    /** A copy of the bundle under test. */
    BundleFolder(BundleFiles from) throws IOException {
        folder = Files.createTempDirectory("bundle").toFile();
        for (String name : new String[] {BundleFiles.MODEL, BundleFiles.CATALOG, BundleFiles.CONFIG,
            BundleFiles.MODEL_CARD}) {
            copy(from, name);
        }
        if (text(BundleFiles.CONFIG).contains("\"ranker_sha256\"")) {
            assertTrue(new File(folder, "ranker").mkdir());
            for (String name : RANKER) {
                copy(from, "ranker/" + name);
            }
        }
    }

    private void copy(BundleFiles from, String name) throws IOException {
        try (InputStream stream = from.open(name)) {
            Files.copy(stream, new File(folder, name).toPath());
        }
    }

    BundleFiles files() {
        return new FolderBundle(folder);
    }

    String text(String name) throws IOException {
        return new String(Files.readAllBytes(new File(folder, name).toPath()),
                StandardCharsets.UTF_8);
    }

    JSONObject config() throws Exception {
        return new JSONObject(text(BundleFiles.CONFIG));
    }

    JSONObject catalog() throws Exception {
        return new JSONObject(text(BundleFiles.CATALOG));
    }

    void write(String name, String text) throws IOException {
        Files.write(new File(folder, name).toPath(), text.getBytes(StandardCharsets.UTF_8));
    }

    /** Writes a catalogue of these books, with its right hash and number in the config. */
    void writeCatalog(JSONArray books) throws Exception {
        write(BundleFiles.CATALOG,
                new JSONObject().put("version", 1).put("books", books).toString());
        writeConfig(config().put("num_items", books.length()));
        writeHashes();
    }

    /** Makes the hashes of the config right again. */
    void writeHashes() throws Exception {
        JSONObject config = config();
        JSONObject hashes = config.getJSONObject("sha256");
        for (String name : new String[] {BundleFiles.MODEL, BundleFiles.CATALOG,
            BundleFiles.MODEL_CARD}) {
            hashes.put(name, sha256(Files.readAllBytes(new File(folder, name).toPath())));
        }
        writeConfig(config);
    }

    /** Writes config.json with its right hash of its own. */
    void writeConfig(JSONObject config) throws Exception {
        String zeros = String.format("%064d", 0);
        String open = config.put("config_sha256", zeros).toString();
        write(BundleFiles.CONFIG, open.replace(zeros,
                sha256(open.getBytes(StandardCharsets.UTF_8))));
    }

    private static String sha256(byte[] content) throws Exception {
        StringBuilder text = new StringBuilder();
        for (byte one : MessageDigest.getInstance("SHA-256").digest(content)) {
            text.append(String.format("%02x", one));
        }
        return text.toString();
    }
}
