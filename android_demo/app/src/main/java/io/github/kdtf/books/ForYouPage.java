package io.github.kdtf.books;

import android.content.res.Resources;
import android.view.View;
import android.widget.ListView;
import java.util.ArrayList;
import java.util.List;

/** For you: what to read next and why, and the books that are kept out of it. */
final class ForYouPage {
    private final Resources resources;
    private final Library library;
    private final BookRows books;
    private final RowAdapter adapter;

    ForYouPage(MainActivity activity, Library library) {
        this.library = library;
        resources = activity.getResources();
        books = new BookRows(activity, library);
        adapter = new RowAdapter(activity.<ListView>findViewById(R.id.for_you_list));
    }

    void show(LibraryState state) {
        List<Row> rows = new ArrayList<>();
        if (state.phase == LibraryState.Phase.REFUSED) {
            rows.addAll(RefusalRows.of(resources, state.refusal));
        } else if (state.phase == LibraryState.Phase.READY) {
            if (state.forYou.isEmpty()) {
                rows.add(Row.text(resources.getString(R.string.for_you_nothing)));
            } else if (state.shelf.isEmpty()) {
                rows.add(Row.text(resources.getString(R.string.for_you_empty_shelf)));
            }
            if (state.reranks && !state.forYou.isEmpty()) {
                rows.add(Row.note(resources.getQuantityString(R.plurals.for_you_reranked,
                        state.forYou.size(), state.forYou.size())));
            }
            for (LibraryState.Suggestion one : state.forYou) {
                rows.add(books.suggested(one));
            }
            addHidden(rows, state);
        }
        adapter.show(rows);
    }

    private void addHidden(List<Row> rows, final LibraryState state) {
        if (state.hidden.isEmpty()) {
            return;
        }
        rows.add(Row.note(resources.getQuantityString(R.plurals.hidden_note, state.hidden.size(),
                state.hidden.size())));
        Row button = Row.button(resources.getString(R.string.show_all), new View.OnClickListener() {
            @Override
            public void onClick(View view) {
                library.show(state.hidden);
            }
        });
        button.quiet = true;
        rows.add(button);
    }
}
