package io.github.kdtf.books.engine;

/** A bundle that cannot be used; says what is wrong and which file it is. */
public final class BundleException extends Exception {
    private static final long serialVersionUID = 1;

    /** What can be wrong; screens have a sentence for each in the reader's language. */
    public enum Problem {
        /** The contract version, or the catalogue's, is one that this app does not know. */
        OTHER_VERSION,
        /** A file is not there, or cannot be read. */
        MISSING_FILE,
        /** A file is not the one that the bundle was made with, or is not well-formed. */
        DAMAGED_FILE,
        /** The catalogue, the config and the model do not belong together. */
        MISMATCH,
        /** There is no book in the catalogue. */
        EMPTY_CATALOG,
        /** The model needs a newer TensorFlow Lite than the app has. */
        NEEDS_NEWER_RUNTIME,
        /** TensorFlow Lite cannot load the model. */
        MODEL_REFUSED,
        /** The phone's storage did not take the catalogue. */
        NO_SPACE
    }

    public final Problem problem;
    public final String file;

    /** For those who look after the bundle: the fact in technical words, in English. */
    public final String detail;

    public BundleException(Problem problem, String file, String detail) {
        this(problem, file, detail, null);
    }

    public BundleException(Problem problem, String file, String detail, Throwable cause) {
        super(problem + " " + file + ": " + detail, cause);
        this.problem = problem;
        this.file = file;
        this.detail = detail;
    }
}
