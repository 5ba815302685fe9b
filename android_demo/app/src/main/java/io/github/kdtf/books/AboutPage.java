package io.github.kdtf.books;

import android.content.res.Resources;
import android.text.TextUtils;
import android.text.format.Formatter;
import android.view.View;
import android.widget.ListView;
import io.github.kdtf.books.engine.BundleConfig;
import io.github.kdtf.books.engine.BundleFiles;
import io.github.kdtf.books.engine.Latency;
import io.github.kdtf.books.engine.RowSources;
import java.text.NumberFormat;
import java.text.SimpleDateFormat;
import java.util.ArrayList;
import java.util.Date;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TimeZone;
import org.tensorflow.lite.TensorFlowLite;

/** This model: what it is, how good it was when it was shipped, how fast it is here. */
final class AboutPage {
    /** The figures that most people ask for, with what they say; those that are shares of 1. */
    private static final Object[][] MAIN_METRICS = {
        {"hit_rate@10", R.string.metric_hit_rate, true},
        {"recall@10", R.string.metric_recall, true},
        {"coverage@10", R.string.metric_coverage, true},
        {"ndcg@10", R.string.metric_ndcg, false},
    };

    private final MainActivity activity;
    private final Resources resources;
    private final RowAdapter adapter;

    /** What the measurement said; null before. */
    String measured;

    boolean measuring;

    /** The text of the model card; null until it is asked for. */
    String card;

    AboutPage(MainActivity activity) {
        this.activity = activity;
        resources = activity.getResources();
        adapter = new RowAdapter(activity.<ListView>findViewById(R.id.about_list));
    }

    void show(LibraryState state) {
        List<Row> rows = new ArrayList<>();
        if (state.phase == LibraryState.Phase.REFUSED) {
            rows.addAll(RefusalRows.of(resources, state.refusal));
        }
        rows.add(Row.sheet(text(R.string.about_private_title), text(R.string.about_private)));
        if (state.phase == LibraryState.Phase.READY) {
            if (state.rankerValues != null) {
                addRanker(rows, state);
            }
            addSpeed(rows);
            addMetrics(rows, state.config);
            addModel(rows, state.config);
            addCard(rows);
        }
        adapter.show(rows);
    }

    /** A measurement in words. */
    String sentence(Latency latency) {
        return resources.getString(R.string.about_measured, latency.runs,
                milliseconds(latency.p50), milliseconds(latency.p90));
    }

    /** The switch, and what the ranker takes here and now. */
    private void addRanker(List<Row> rows, final LibraryState state) {
        rows.add(Row.heading(text(R.string.about_rerank)));
        rows.add(Row.text(text(R.string.about_rerank_note)));
        Row button = Row.button(text(state.reranks ? R.string.about_rerank_on
                : R.string.about_rerank_off), new View.OnClickListener() {
            @Override
            public void onClick(View view) {
                activity.rerank(!state.reranks);
            }
        });
        button.quiet = !state.reranks;
        rows.add(button);
        if (!state.reranks) {
            return;
        }
        List<String> ofBooks = new ArrayList<>();
        List<String> unknown = new ArrayList<>();
        for (RowSources.Column column : state.config.ranker.sources.columns()) {
            Object value = state.rankerValues.get(column.name);
            if (column.source == RowSources.Source.ITEM
                    || column.source == RowSources.Source.ITEM_ID) {
                ofBooks.add(column.name);
            } else if (value == null) {
                unknown.add(column.name);
            } else {
                rows.add(Row.fact(label(column), value(column, value)));
            }
        }
        String comma = text(R.string.between_words);
        rows.add(fact(R.string.about_rerank_books, TextUtils.join(comma, ofBooks)));
        if (!unknown.isEmpty()) {
            rows.add(fact(R.string.about_rerank_unknown, TextUtils.join(comma, unknown)));
        }
    }

    private String label(RowSources.Column column) {
        switch (column.source) {
            case HOUR: return text(R.string.about_rerank_hour);
            case WEEKDAY: return text(R.string.about_rerank_weekday);
            case TIME: return text(R.string.about_rerank_time);
            case LOCAL_TIME: return text(R.string.about_rerank_local_time);
            case LANGUAGE: return text(R.string.about_rerank_language);
            case HISTORY: return resources.getString(R.string.about_rerank_history, column.of);
            default: return resources.getString(R.string.about_rerank_fixed, column.name);
        }
    }

    private static String value(RowSources.Column column, Object value) {
        if (column.source == RowSources.Source.TIME) {
            SimpleDateFormat format = new SimpleDateFormat("yyyy-MM-dd HH:mm 'UTC'", Locale.ROOT);
            format.setTimeZone(TimeZone.getTimeZone("UTC"));
            return format.format(new Date((Long) value * 1000));
        }
        if (column.source == RowSources.Source.LOCAL_TIME) {
            return value.toString().replace('T', ' ');
        }
        return value instanceof Double ? decimal((Double) value) : value.toString();
    }

    private void addSpeed(List<Row> rows) {
        rows.add(Row.heading(text(R.string.about_speed)));
        rows.add(Row.text(measuring ? text(R.string.about_measuring)
                : measured != null ? measured : text(R.string.about_measure_note)));
        rows.add(Row.button(text(R.string.about_measure), new View.OnClickListener() {
            @Override
            public void onClick(View view) {
                activity.measure();
            }
        }));
    }

    private void addMetrics(List<Row> rows, BundleConfig config) {
        rows.add(Row.heading(text(R.string.about_metrics)));
        rows.add(Row.note(text(R.string.about_metrics_note)));
        NumberFormat percent = NumberFormat.getPercentInstance();
        percent.setMaximumFractionDigits(1);
        for (Object[] one : MAIN_METRICS) {
            Double value = config.metrics.get((String) one[0]);
            if (value != null) {
                rows.add(Row.figure(text((Integer) one[1]),
                        (Boolean) one[2] ? percent.format(value) : decimal(value)));
            }
        }
        rows.add(Row.heading(text(R.string.about_all_metrics)));
        for (Map.Entry<String, Double> one : config.metrics.entrySet()) {
            rows.add(Row.fact(one.getKey(), decimal(one.getValue())));
        }
    }

    private void addModel(List<Row> rows, BundleConfig config) {
        rows.add(Row.heading(text(R.string.about_model)));
        rows.add(fact(R.string.about_name, config.name));
        rows.add(fact(R.string.about_books, Words.number(config.numItems)));
        rows.add(fact(R.string.about_history, Words.number(config.maxLength)));
        rows.add(fact(R.string.about_size, size(config.bytes.get(BundleFiles.MODEL))));
        rows.add(fact(R.string.about_bundle_size, size(config.totalBytes())));
        rows.add(fact(R.string.about_quantization, config.quantization));
        rows.add(fact(R.string.about_contract, Words.number(BundleConfig.CONTRACT_VERSION)));
        rows.add(fact(R.string.about_runtime, resources.getString(R.string.about_runtime_value,
                TensorFlowLite.runtimeVersion(), config.minRuntimeVersion)));
        String trained = config.dataset.optString("name");
        if (!trained.isEmpty()) {
            rows.add(fact(R.string.about_trained, trained));
        }
        addCount(rows, R.string.about_readers, config, "users");
        addCount(rows, R.string.about_interactions, config, "interactions");
    }

    private void addCount(List<Row> rows, int name, BundleConfig config, String key) {
        long count = config.dataset.optLong(key);
        if (count > 0) {
            rows.add(fact(name, Words.number(count)));
        }
    }

    private void addCard(List<Row> rows) {
        if (card == null) {
            Row button = Row.button(text(R.string.about_card_show), new View.OnClickListener() {
                @Override
                public void onClick(View view) {
                    activity.showCard();
                }
            });
            button.quiet = true;
            rows.add(button);
        } else if (!card.isEmpty()) {
            rows.add(Row.heading(text(R.string.about_card)));
            rows.add(Row.text(card));
        }
    }

    private Row fact(int name, String value) {
        return Row.fact(text(name), value);
    }

    private String text(int id) {
        return resources.getString(id);
    }

    private String size(long bytes) {
        return Formatter.formatShortFileSize(activity, bytes);
    }

    private String milliseconds(long nanoseconds) {
        return resources.getString(R.string.milliseconds, decimal(nanoseconds / 1e6));
    }

    private static String decimal(double value) {
        NumberFormat format = NumberFormat.getNumberInstance();
        format.setMaximumFractionDigits(3);
        return format.format(value);
    }
}
