package io.github.kdtf.books.engine;

import io.github.kdtf.books.engine.BundleException.Problem;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.tensorflow.lite.DataType;
import org.tensorflow.lite.Interpreter;
import org.tensorflow.lite.Tensor;
import org.tensorflow.lite.TensorFlowLite;

/**
 * The model of a bundle: books by their model ids in, books out. All on the device.
 *
 * <p>Books have the ids 1 to {@code config().numItems}; {@link Catalog} knows their titles. A history
 * is what a reader has read, oldest first; the model sees the newest {@code maxLength} of it.
 * Safe to share between threads: calls take turns. Not for the main thread.
 */
public final class BookRecommender implements AutoCloseable {
    private final BundleConfig config;
    private final Interpreter interpreter;

    /**
     * Checks a bundle and loads its model.
     *
     * @throws BundleException the bundle cannot be used; says why
     */
    public static BookRecommender open(BundleFiles files) throws BundleException {
        BundleConfig config = BundleConfig.read(files);
        try {
            return new BookRecommender(config, files.map(BundleFiles.MODEL));
        } catch (IOException error) {
            throw new BundleException(Problem.MISSING_FILE, BundleFiles.MODEL,
                    "it cannot be mapped into memory: is it stored uncompressed?", error);
        } catch (LinkageError error) {
            throw new BundleException(Problem.MODEL_REFUSED, BundleFiles.MODEL,
                    "this app has no TensorFlow Lite for this phone's processor", error);
        }
    }

    private BookRecommender(BundleConfig config, ByteBuffer model) throws BundleException {
        this.config = config;
        String runtime = TensorFlowLite.runtimeVersion();
        // Some old runtimes load newer files and answer with wrong numbers, so ask before loading.
        if (isOlder(runtime, config.minRuntimeVersion)) {
            throw new BundleException(Problem.NEEDS_NEWER_RUNTIME, BundleFiles.MODEL,
                    "needs TensorFlow Lite " + config.minRuntimeVersion + ", this app has "
                            + runtime);
        }
        try {
            interpreter = new Interpreter(model, new Interpreter.Options().setNumThreads(1));
        } catch (IllegalArgumentException | IllegalStateException error) {
            throw new BundleException(Problem.MODEL_REFUSED, BundleFiles.MODEL,
                    firstLine(error), error);
        }
        boolean fits = false;
        try {
            checkSignatures();
            fits = true;
        } catch (IllegalArgumentException | IllegalStateException error) {
            throw new BundleException(Problem.MISMATCH, BundleFiles.MODEL, firstLine(error), error);
        } finally {
            if (!fits) {
                interpreter.close();
            }
        }
    }

    public BundleConfig config() {
        return config;
    }

    /**
     * What a reader may like next, best first.
     *
     * @param history model ids, oldest first; none of them, however old, is recommended
     * @param without other books that are not recommended, such as hidden ones
     */
    public List<ScoredBook> recommend(int[] history, Collection<Integer> without) {
        Set<Integer> but = new HashSet<>(without);
        for (int book : history) {
            but.add(book);
        }
        Map<String, Object> inputs = new HashMap<>();
        inputs.put("history", newest(history));
        return books("recommend", inputs, but);
    }

    /** Books like this one, most alike first, never the book itself. */
    public List<ScoredBook> similar(int book) {
        Map<String, Object> inputs = new HashMap<>();
        inputs.put("book", new int[] {book});
        return books("similar", inputs, Collections.singleton(book));
    }

    /** How well some books, any number of them, suit a reader; in the order given. */
    public float[] score(int[] history, int[] books) {
        float[] scores = new float[books.length];
        for (int start = 0; start < books.length; start += config.candidates) {
            int count = Math.min(config.candidates, books.length - start);
            Map<String, Object> inputs = new HashMap<>();
            inputs.put("history", newest(history));
            int[] asked = Arrays.copyOfRange(books, start, start + count);
            inputs.put("candidates", new int[][] {Arrays.copyOf(asked, config.candidates)});
            float[][] answer = new float[1][config.candidates];
            run("score", inputs, Collections.<String, Object>singletonMap("scores", answer));
            System.arraycopy(answer[0], 0, scores, start, count);
        }
        return scores;
    }

    /**
     * Because of which books of the history a book is scored as it is: what adds most first; books
     * that add nothing, or lower the score, are left out.
     */
    public List<ScoredBook> explain(int[] history, int book) {
        int[][] seen = newest(history);
        Map<String, Object> inputs = new HashMap<>();
        inputs.put("history", seen);
        inputs.put("book", new int[] {book});
        float[][] added = new float[1][config.maxLength];
        run("explain", inputs, Collections.<String, Object>singletonMap("contributions", added));
        List<ScoredBook> reasons = new ArrayList<>();
        for (int i = 0; i < config.maxLength; i++) {
            if (isBook(seen[0][i]) && added[0][i] > 0) {
                reasons.add(new ScoredBook(seen[0][i], added[0][i]));
            }
        }
        Collections.sort(reasons, new Comparator<ScoredBook>() {
            @Override
            public int compare(ScoredBook one, ScoredBook other) {
                return Float.compare(other.score, one.score);
            }
        });
        return reasons;
    }

    @Override
    public synchronized void close() {
        interpreter.close();
    }

    private List<ScoredBook> books(String signature, Map<String, Object> inputs, Set<Integer> but) {
        int[][] ids = new int[1][config.recommendations];
        float[][] scores = new float[1][config.recommendations];
        Map<String, Object> outputs = new HashMap<>();
        outputs.put("ids", ids);
        outputs.put("scores", scores);
        run(signature, inputs, outputs);
        List<ScoredBook> books = new ArrayList<>();
        for (int i = 0; i < ids[0].length; i++) {
            // The model fills a list with 0 or books of the history when no others are left.
            if (isBook(ids[0][i]) && !but.contains(ids[0][i])) {
                books.add(new ScoredBook(ids[0][i], scores[0][i]));
            }
        }
        return books;
    }

    private synchronized void run(String signature, Map<String, Object> inputs,
            Map<String, Object> outputs) {
        interpreter.runSignature(inputs, outputs, signature);
    }

    /** int [1, L]: the newest L of a history, padded with 0 at the end. */
    private int[][] newest(int[] history) {
        int start = Math.max(0, history.length - config.maxLength);
        int[] kept = Arrays.copyOfRange(history, start, history.length);
        return new int[][] {Arrays.copyOf(kept, config.maxLength)};
    }

    private boolean isBook(int id) {
        return 1 <= id && id <= config.numItems;
    }

    private void checkSignatures() throws BundleException {
        String[] found = interpreter.getSignatureKeys();
        Arrays.sort(found);
        if (!config.signatures.equals(Arrays.asList(found))) {
            throw mismatch("the model has the signatures " + Arrays.toString(found)
                    + ", the config says " + config.signatures);
        }
        for (String needed : new String[] {"recommend", "similar", "score", "explain"}) {
            if (!config.signatures.contains(needed)) {
                throw mismatch("it has no signature " + needed);
            }
        }
        int L = config.maxLength;
        int K = config.recommendations;
        int C = config.candidates;
        for (String one : new String[] {"recommend", "score", "explain"}) {
            check(interpreter.getInputTensorFromSignature("history", one), DataType.INT32, 1, L);
        }
        check(interpreter.getInputTensorFromSignature("candidates", "score"), DataType.INT32, 1, C);
        check(interpreter.getInputTensorFromSignature("book", "similar"), DataType.INT32, 1);
        check(interpreter.getInputTensorFromSignature("book", "explain"), DataType.INT32, 1);
        trySignatures();
    }

    /**
     * Only running shows an operator that fails, the size of an answer that the file leaves open,
     * and ids beyond the catalogue; so every signature runs once, also with ids that no book has.
     */
    private void trySignatures() throws BundleException {
        int V = config.numItems;
        int[][] history = newest(new int[] {1, V, V + 1, -1, Integer.MAX_VALUE});
        int[] book = {V};
        tryList("recommend", "history", history);
        tryList("similar", "book", book);
        Map<String, Object> inputs = new HashMap<>();
        inputs.put("history", history);
        inputs.put("candidates", new int[1][config.candidates]);
        run("score", inputs, Collections.<String, Object>singletonMap("scores",
                new float[1][config.candidates]));
        inputs.remove("candidates");
        inputs.put("book", book);
        run("explain", inputs, Collections.<String, Object>singletonMap("contributions",
                new float[1][config.maxLength]));
    }

    private void tryList(String signature, String input, Object value) throws BundleException {
        int[][] ids = new int[1][config.recommendations];
        Map<String, Object> outputs = new HashMap<>();
        outputs.put("ids", ids);
        outputs.put("scores", new float[1][config.recommendations]);
        run(signature, Collections.singletonMap(input, value), outputs);
        for (int id : ids[0]) {
            if (id < 0 || id > config.numItems) {
                throw mismatch(signature + " gives book " + id + " of " + config.numItems);
            }
        }
    }

    private static void check(Tensor tensor, DataType type, int... shape) throws BundleException {
        if (tensor.dataType() != type || !Arrays.equals(tensor.shape(), shape)) {
            throw mismatch("its input " + tensor.name() + " is " + tensor.dataType() + " "
                    + Arrays.toString(tensor.shape()) + ", the config says " + type + " "
                    + Arrays.toString(shape));
        }
    }

    private static BundleException mismatch(String what) {
        return new BundleException(Problem.MISMATCH, BundleFiles.MODEL, what);
    }

    /** Whether version `has` comes before `needs`, both like 2.16.1. */
    static boolean isOlder(String has, String needs) {
        String[] left = has.split("[^0-9]+");
        String[] right = needs.split("[^0-9]+");
        for (int i = 0; i < Math.max(left.length, right.length); i++) {
            int difference = part(left, i) - part(right, i);
            if (difference != 0) {
                return difference < 0;
            }
        }
        return false;
    }

    private static int part(String[] parts, int place) {
        return place < parts.length && !parts[place].isEmpty() ? Integer.parseInt(parts[place]) : 0;
    }

    private static String firstLine(Exception error) {
        return String.valueOf(error.getMessage()).trim().split("\n")[0];
    }
}
