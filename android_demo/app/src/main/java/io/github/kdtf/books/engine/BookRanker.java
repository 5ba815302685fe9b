package io.github.kdtf.books.engine;

import io.github.kdtf.books.engine.BundleException.Problem;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.tensorflow.lite.DataType;
import org.tensorflow.lite.Interpreter;
import org.tensorflow.lite.Tensor;
import org.tensorflow.lite.TensorFlowLite;

/**
 * The ranker of a bundle: sorts what the recommender found by what the device knows. All on the
 * device. Safe to share between threads: calls take turns. Not for the main thread.
 */
public final class BookRanker implements AutoCloseable {
    /** Number of recommendations that are sorted: few enough that all of them suit the reader. */
    public static final int SHORTLIST = 20;

    private static final String SIGNATURE = "predict_batch";

    private final RankerConfig config;
    private final Interpreter interpreter;

    /**
     * Loads the model of a ranker.
     *
     * @param config of the bundle with these files
     * @throws BundleException the model cannot be used; says why
     */
    public static BookRanker open(BundleFiles files, RankerConfig config) throws BundleException {
        String path = RankerConfig.FOLDER + BundleFiles.MODEL;
        String runtime = TensorFlowLite.runtimeVersion();
        if (BookRecommender.isOlder(runtime, config.minRuntimeVersion)) {
            throw new BundleException(Problem.NEEDS_NEWER_RUNTIME, path, "needs TensorFlow Lite "
                    + config.minRuntimeVersion + ", this app has " + runtime);
        }
        Interpreter interpreter = null;
        try {
            ByteBuffer model = files.map(path);
            interpreter = new Interpreter(model, new Interpreter.Options().setNumThreads(1));
            BookRanker ranker = new BookRanker(config, interpreter);
            ranker.checkSignature();
            interpreter = null;
            return ranker;
        } catch (IOException error) {
            throw new BundleException(Problem.MISSING_FILE, path,
                    "it cannot be mapped into memory: is it stored uncompressed?", error);
        } catch (IllegalArgumentException | IllegalStateException error) {
            throw new BundleException(interpreter == null ? Problem.MODEL_REFUSED
                    : Problem.MISMATCH, path, String.valueOf(error.getMessage()), error);
        } finally {
            if (interpreter != null) {
                interpreter.close();
            }
        }
    }

    private BookRanker(RankerConfig config, Interpreter interpreter) {
        this.config = config;
        this.interpreter = interpreter;
    }

    public RankerConfig config() {
        return config;
    }

    /**
     * The best of a list, sorted by what the model predicts; books with equal predictions stay in
     * their order.
     *
     * @param recommended best first
     * @param itemIds their item ids, as many
     * @param history item ids of the reader's books, oldest first
     */
    public List<RankedBook> rerank(List<ScoredBook> recommended, List<String> itemIds,
            List<String> history, Map<String, ?> context) {
        int count = Math.min(recommended.size(), SHORTLIST);
        double[] predictions = predict(config.sources.rows(itemIds.subList(0, count), history,
                context));
        List<RankedBook> books = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            books.add(new RankedBook(recommended.get(i), predictions[i]));
        }
        Collections.sort(books, new Comparator<RankedBook>() {
            @Override
            public int compare(RankedBook one, RankedBook other) {
                return Double.compare(other.prediction, one.prediction);
            }
        });
        return books;
    }

    /** What the model predicts for rows of raw values, any number of them. */
    private double[] predict(List<Map<String, Object>> rows) {
        double[] predictions = new double[rows.size()];
        FeatureSchema.Label label = config.schema.label;
        for (int start = 0; start < rows.size(); start += config.batchSize) {
            int[][] ids = new int[config.batchSize][config.numPlaces];
            float[][] numbers = new float[config.batchSize][config.numNumeric];
            int count = Math.min(config.batchSize, rows.size() - start);
            for (int i = 0; i < count; i++) {
                FeatureSchema.EncodedRow row = config.schema.encode(rows.get(start + i));
                ids[i] = row.categorical;
                numbers[i] = row.numeric;
            }
            float[] answer = run(ids, numbers);
            for (int i = 0; i < count; i++) {
                predictions[start + i] = label.low + answer[i] * (label.high - label.low);
            }
        }
        return predictions;
    }

    private synchronized float[] run(int[][] ids, float[][] numbers) {
        Map<String, Object> inputs = new HashMap<>();
        if (config.numPlaces > 0) {
            inputs.put("categorical", ids);
        }
        if (config.numNumeric > 0) {
            inputs.put("numeric", numbers);
        }
        float[] answer = new float[config.batchSize];
        interpreter.runSignature(inputs,
                Collections.<String, Object>singletonMap("probability", answer), SIGNATURE);
        return answer;
    }

    /** Only running shows an operator that fails, so the signature runs once. */
    private void checkSignature() {
        check("categorical", DataType.INT32, config.numPlaces);
        check("numeric", DataType.FLOAT32, config.numNumeric);
        run(new int[config.batchSize][config.numPlaces],
                new float[config.batchSize][config.numNumeric]);
    }

    private void check(String input, DataType type, int width) {
        if (width == 0) {
            return;
        }
        Tensor tensor = interpreter.getInputTensorFromSignature(input, SIGNATURE);
        int[] shape = {config.batchSize, width};
        if (tensor.dataType() != type || !Arrays.equals(tensor.shape(), shape)) {
            throw new IllegalStateException("its input " + input + " is " + tensor.dataType() + " "
                    + Arrays.toString(tensor.shape()) + ", the config says " + type + " "
                    + Arrays.toString(shape));
        }
    }

    @Override
    public synchronized void close() {
        interpreter.close();
    }
}
