package io.github.kdtf.books;

import android.app.Activity;
import android.content.ActivityNotFoundException;
import android.content.Intent;
import android.os.Bundle;
import android.view.View;
import android.widget.ListView;
import android.widget.TextView;
import io.github.kdtf.books.goodreads.GoodreadsException;
import io.github.kdtf.books.shelf.ImportReport;
import java.util.ArrayList;
import java.util.List;

/**
 * Brings a Goodreads library onto the shelf. The system's own file picker hands over one file, so
 * no permission is needed.
 */
public final class ImportActivity extends Activity implements Library.Listener {
    /** Whether to begin with the report of the last import. */
    static final String LAST = "last";

    private static final String CHOSEN = "chosen";
    private static final int PICK = 1;

    private Library library;
    private LibraryState state;
    private UndoBar undoBar;
    private RowAdapter adapter;

    /** A file was chosen: from then on there is a report. */
    private boolean chosen;

    @Override
    protected void onCreate(Bundle saved) {
        super.onCreate(saved);
        setContentView(R.layout.activity_list);
        ((TextView) findViewById(R.id.screen_title)).setText(R.string.import_title);
        Headings.mark(findViewById(R.id.screen_title));
        findViewById(R.id.back).setOnClickListener(new View.OnClickListener() {
            @Override
            public void onClick(View view) {
                finish();
            }
        });
        chosen = saved != null ? saved.getBoolean(CHOSEN) : getIntent().getBooleanExtra(LAST, false);
        library = BooksApplication.library(this);
        undoBar = new UndoBar(this, library);
        adapter = new RowAdapter(this.<ListView>findViewById(R.id.rows));
        library.addListener(this);
    }

    @Override
    protected void onSaveInstanceState(Bundle saved) {
        super.onSaveInstanceState(saved);
        saved.putBoolean(CHOSEN, chosen);
    }

    @Override
    protected void onDestroy() {
        library.removeListener(this);
        super.onDestroy();
    }

    @Override
    protected void onActivityResult(int request, int result, Intent data) {
        if (request == PICK && result == RESULT_OK && data != null && data.getData() != null) {
            chosen = true;
            library.importGoodreads(getContentResolver(), data.getData());
        }
    }

    @Override
    public void onLibrary(LibraryState state) {
        this.state = state;
        undoBar.show(state);
        List<Row> rows = new ArrayList<>();
        if (chosen && state.lastImport != null && !state.importing) {
            addReport(rows, state.lastImport);
        }
        rows.add(Row.text(getString(R.string.import_how)));
        if (state.phase == LibraryState.Phase.READY && !state.importing) {
            rows.add(Row.button(getString(R.string.import_choose), new View.OnClickListener() {
                @Override
                public void onClick(View view) {
                    pick();
                }
            }));
        }
        adapter.show(rows);
        say(status());
    }

    private String status() {
        if (state.phase == LibraryState.Phase.OPENING) {
            return getString(R.string.opening);
        }
        if (state.importing) {
            return getString(R.string.import_running);
        }
        if (!chosen || state.lastImport == null) {
            return "";
        }
        return state.lastImport.refused != null ? getString(R.string.import_refused_title)
                : count(R.plurals.import_done, state.lastImport.imported);
    }

    private void pick() {
        // Phones call a CSV file many things, spreadsheets among them.
        Intent intent = new Intent(Intent.ACTION_OPEN_DOCUMENT)
                .addCategory(Intent.CATEGORY_OPENABLE)
                .setType("*/*")
                .putExtra(Intent.EXTRA_MIME_TYPES, new String[] {"text/*", "application/csv",
                        "application/vnd.ms-excel", "application/octet-stream"});
        try {
            startActivityForResult(intent, PICK);
        } catch (ActivityNotFoundException error) {
            say(getString(R.string.import_no_picker));
        }
    }

    private void addReport(List<Row> rows, ImportReport report) {
        if (report.refused != null) {
            Row sheet = Row.sheet(getString(R.string.import_refused_title),
                    getString(reason(report.refused)) + "\n\n" + getString(R.string.import_kept));
            sheet.warning = true;
            rows.add(sheet);
            return;
        }
        StringBuilder said = new StringBuilder(count(R.plurals.import_rows, report.rows));
        append(said, R.plurals.import_already, report.already);
        append(said, R.plurals.import_repeated, report.repeated);
        append(said, R.plurals.import_unread, report.unread);
        append(said, R.plurals.import_unmatched, report.unmatched.size());
        rows.add(Row.sheet(count(R.plurals.import_done, report.imported), said.toString()));
        for (String[] one : report.unmatched) {
            String title = one[0].isEmpty() ? getString(R.string.import_untitled) : one[0];
            rows.add(Row.text(one[1].isEmpty() ? title
                    : Words.book(getResources(), title, one[1])));
        }
    }

    private static int reason(String refused) {
        switch (GoodreadsException.Reason.valueOf(refused)) {
            case TOO_LARGE: return R.string.import_too_large;
            case ENCODING: return R.string.import_encoding;
            case UNCLOSED_QUOTE: return R.string.import_unclosed_quote;
            case NO_TITLE_COLUMN: return R.string.import_no_title_column;
            case NO_ROWS: return R.string.import_no_rows;
            default: return R.string.import_unreadable;
        }
    }

    private void append(StringBuilder said, int plural, int number) {
        if (number > 0) {
            said.append('\n').append(count(plural, number));
        }
    }

    private String count(int plural, int number) {
        return getResources().getQuantityString(plural, number, number);
    }

    private void say(String sentence) {
        TextView status = findViewById(R.id.status);
        if (!sentence.contentEquals(status.getText())) {
            status.setText(sentence);
        }
        status.setVisibility(sentence.isEmpty() ? View.GONE : View.VISIBLE);
    }
}
