package io.github.kdtf.books;

import java.util.Locale;
import org.junit.runner.Description;
import org.junit.runner.JUnitCore;
import org.junit.runner.Result;
import org.junit.runner.notification.Failure;
import org.junit.runner.notification.RunListener;

/** Runs the test classes that are named, and says how each test went and how long it took. */
public final class TestRun {
    private TestRun() {}

    public static void main(String[] names) throws Exception {
        Class<?>[] classes = new Class<?>[names.length];
        for (int i = 0; i < names.length; i++) {
            classes[i] = Class.forName(names[i]);
        }
        JUnitCore core = new JUnitCore();
        core.addListener(new RunListener() {
            private long start;
            private String outcome;

            @Override
            public void testStarted(Description test) {
                start = System.nanoTime();
                outcome = "passed";
            }

            @Override
            public void testFailure(Failure failure) {
                outcome = "FAILED";
            }

            @Override
            public void testAssumptionFailure(Failure failure) {
                outcome = "skipped";
            }

            @Override
            public void testFinished(Description test) {
                System.out.printf(Locale.ROOT, "%-7s %5.1f s  %s.%s%n", outcome,
                        (System.nanoTime() - start) / 1e9,
                        test.getTestClass().getSimpleName(), test.getMethodName());
            }
        });
        Result result = core.run(classes);
        for (Failure failure : result.getFailures()) {
            System.out.println("\n" + failure.getTestHeader() + "\n" + failure.getTrimmedTrace());
        }
        System.out.printf(Locale.ROOT, "%d tests, %d failures, %.0f s%n", result.getRunCount(),
                result.getFailureCount(), result.getRunTime() / 1e3);
        System.exit(result.wasSuccessful() && result.getRunCount() > 0 ? 0 : 1);
    }
}
